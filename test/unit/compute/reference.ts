/** What the tests of the mathematics share: seeded tensors, and how far two of them are apart. */
import * as tf from "@tensorflow/tfjs";
import type { LayerSpec } from "../../../src/run-spec/index.ts";
import type { BlockUnitOptions, TensorData } from "../../../src/compute/index.ts";

/** What every block is told and few tests care for: the spec's defaults, smaller. */
export const BLOCK_DEFAULTS = {
  retain: { batches: 4, bytes: 2 ** 30 },
  classes: 5,
  totalSteps: 100,
  sources: {
    auxiliary: { hidden: 8, optimizer: { kind: "adam", learningRate: 1e-2 } },
    delayed: { ageExponent: 0.5 },
    mixed: { trueShare: 0.3 },
  },
  isGradientModelElsewhere: false,
} as const satisfies Partial<BlockUnitOptions>;

/** Standard normal, equal at every call. */
export function normal(shape: readonly number[], seed: number): tf.Tensor {
  return tf.randomNormal([...shape], 0, 1, "float32", seed);
}

/** The same as plain data. */
export function normalData(shape: readonly number[], seed: number): TensorData & { readonly dtype: "f32" } {
  const tensor = normal(shape, seed);
  const values = Float32Array.from(tensor.dataSync());
  tensor.dispose();
  return { dtype: "f32", shape, values };
}

/** Labels 0, 1, .. classes - 1, 0, .. */
export function labelData(batch: number, classes: number): TensorData & { readonly dtype: "i32" } {
  return {
    dtype: "i32",
    shape: [batch],
    values: Int32Array.from({ length: batch }, (_, row) => (row * 7 + 3) % classes),
  };
}

/** Largest difference, as a share of the largest expected element. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new RangeError(`${actual.length} elements against ${expected.length}`);
  let difference = 0;
  let largest = 0;
  for (let index = 0; index < expected.length; index += 1) {
    const apart = Math.abs((actual[index] as number) - (expected[index] as number));
    difference = Math.max(difference, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
    largest = Math.max(largest, Math.abs(expected[index] as number));
  }
  return difference === 0 ? 0 : difference / largest;
}

/** A convolutional block with batch norm, for samples of [8, 8, 2]; gives [27]. */
export const CONV_LAYERS: readonly LayerSpec[] = [
  { name: "conv", type: "conv2d", filters: 3, kernelSize: 3, useBias: false },
  { name: "norm", type: "batch_normalization", momentum: 0.9 },
  { name: "relu", type: "re_lu" },
  { name: "pool", type: "max_pooling2d", poolSize: 2 },
  { name: "flat", type: "flatten" },
];

/** A dense block with batch norm that ends in five logits. */
export const HEAD_LAYERS: readonly LayerSpec[] = [
  { name: "dense", type: "dense", units: 12, useBias: false },
  { name: "norm2", type: "batch_normalization", momentum: 0.9 },
  { name: "relu2", type: "re_lu" },
  { name: "logits", type: "dense", units: 5 },
];
