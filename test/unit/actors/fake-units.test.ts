/** The fakes of the actors' tests keep the contract of the units that they stand for. */
import { BAD_STEP, blockHandleContract, gradientModelHandleContract } from "../../support/block-handle-contract.ts";
import { fakeBlock, fakeGradientModel, floats } from "./actor-scene.ts";

const labels = { dtype: "i32", shape: [2], values: Int32Array.of(1, 2) } as const;

blockHandleContract("fakeBlock", async ({ source, isFirst = false, retain = 4 }) => {
  const { handle } = fakeBlock({
    isFirst,
    isLast: source === "last",
    isLater: source === "later",
    retain,
    failsAtStep: BAD_STEP,
  });
  const tensor = () => floats([2, 3]);
  return { handle, labels, input: tensor, gradient: tensor, [Symbol.asyncDispose]: () => handle.dispose() };
});

gradientModelHandleContract("fakeGradientModel", async () => {
  const { handle, forgotten } = fakeGradientModel();
  forgotten.add(99);
  return {
    handle,
    labels,
    tensor: () => floats([2, 3]),
    unknownStep: 99,
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});
