/** Data sets behind one port, and the order in which an epoch visits their samples. */
export { createSplit, type Dataset, type Split } from "./dataset.ts";
export { epochOrder } from "./epoch-order.ts";
export { loadMnist, type LoadMnistOptions } from "./mnist.ts";
