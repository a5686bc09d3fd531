/**
 * Training on WebAssembly: the gradient kernels that tfjs's wasm backend lacks, and faster ones in place of some that
 * it has. Written in terms of the backend's own XNNPACK kernels and loops over its heap; docs/adr/0004 has the numbers.
 *
 * @example
 * await tf.setBackend("wasm");
 * registerWasmKernels(); // from here on tf.grads works through convolutions
 */
export { OWN_KERNELS, registerWasmKernels } from "./register.ts";
