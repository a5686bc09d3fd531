/** The real unit behind a compute worker, and the fake of the actors' tests. */
import { afterAll, beforeAll } from "vitest";
import {
  type ComputeWorker,
  createComputeWorker,
  type NamedTensorData,
  openInference,
  type TensorData,
} from "../../../../src/compute/index.ts";
import { fakeInference, fakeRelease } from "../../../support/fake-inference.ts";
import { inferenceHandleContract } from "../../../support/inference-handle-contract.ts";
import { HEAD_LAYERS } from "../reference.ts";

let worker: ComputeWorker;
let opened = 0;
beforeAll(async () => {
  worker = await createComputeWorker();
});
afterAll(() => worker.close());

inferenceHandleContract("a slice in a compute worker", async () => {
  opened += 1;
  const inputShape = [7];
  const handle = await openInference(worker, `slice-${opened}`, { inputShape, layers: HEAD_LAYERS });
  return { handle, inputShape, tensors: headTensors, overflow: 3e38, [Symbol.asyncDispose]: () => handle.close() };
});

inferenceHandleContract("fakeInference", () => {
  const inputShape = [2, 2];
  const handle = fakeInference({ inputShape, outputShape: [3] });
  return Promise.resolve({
    handle,
    inputShape,
    tensors: (release) => fakeRelease(release + 1, 0.5),
    overflow: 3e38,
    [Symbol.asyncDispose]: () => handle.close(),
  });
});

/** Weights of HEAD_LAYERS: any, but all of them positive, so that a large sample overflows. */
function headTensors(release: number): NamedTensorData {
  const tensor = (...shape: number[]): TensorData => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const values = Float32Array.from({ length: size }, (_, index) => 1 + ((index * 7 + release) % 5) / 4);
    return { dtype: "f32", shape, values };
  };
  return {
    "weights/dense/kernel": tensor(7, 12),
    "weights/norm2/gamma": tensor(12),
    "weights/norm2/beta": tensor(12),
    "weights/norm2/moving_mean": tensor(12),
    "weights/norm2/moving_variance": tensor(12),
    "weights/logits/kernel": tensor(12, 5),
    "weights/logits/bias": tensor(5),
  };
}
