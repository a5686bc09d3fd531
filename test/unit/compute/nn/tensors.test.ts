import * as tf from "@tensorflow/tfjs";
import { beforeEach, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import type { TensorData } from "../../../../src/compute/index.ts";
import { toData, toTensor } from "../../../../src/compute/nn/tensors.ts";

describe.each(["auto", "cpu"] as const)("toTensor and toData (%s)", (backend) => {
  beforeEach(async () => {
    await selectBackend(backend);
  });

  it.each<TensorData>([
    { dtype: "f32", shape: [2, 2], values: Float32Array.of(1.5, -0, 3e38, 1e-40) },
    { dtype: "i32", shape: [3], values: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1) },
    { dtype: "f32", shape: [], values: Float32Array.of(7) },
    { dtype: "f32", shape: [0, 3], values: new Float32Array(0) },
  ])("are each other's inverse for $dtype $shape", (data) => {
    const tensor = toTensor(data);
    expect(toData(tensor, "it")).toEqual(data);
    tensor.dispose();
  });

  it("u8 becomes float32", () => {
    const tensor = toTensor({ dtype: "u8", shape: [3], values: Uint8Array.of(0, 7, 255) });
    expect(tensor.dtype).toBe("float32");
    expect([...tensor.dataSync()]).toEqual([0, 7, 255]);
    tensor.dispose();
  });

  it("toData gives a buffer of its own: when it moves to another thread the tensor stays whole", () => {
    const tensors = [toTensor({ dtype: "f32", shape: [2], values: Float32Array.of(1, 2) })];
    tensors.push((tensors[0] as tf.Tensor).add(1), tf.variable(tensors[0] as tf.Tensor));
    for (const tensor of tensors) {
      const before = [...tensor.dataSync()];
      const { values } = toData(tensor, "it");
      structuredClone(values, { transfer: [values.buffer as ArrayBuffer] });
      expect(values).toHaveLength(0);
      expect([...tensor.dataSync()]).toEqual(before);
    }
    tf.dispose(tensors);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "toData refuses %d with KN_NUMERIC",
    (bad) => {
      const tensor = tf.tensor1d([1, bad, 2]);
      expect(() => toData(tensor, "a gradient")).toThrow(
        expect.objectContaining({
          code: "KN_NUMERIC",
          attempt: "compute a gradient",
          value: `${bad} among 3 elements`,
        }),
      );
      tensor.dispose();
    },
  );
});
