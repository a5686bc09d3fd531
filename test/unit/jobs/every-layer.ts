/** A network with a layer of every type, and weights that look trained, by a formula. */
import type { NamedTensorData } from "../../../src/compute/index.ts";
import { measureLayers, type ModelSpec } from "../../../src/run-spec/index.ts";

export const EVERY_LAYER: ModelSpec = {
  input: [12, 10, 3],
  classes: 4,
  cuts: [],
  layers: [
    { type: "rescaling", name: "scale", scale: 1 / 255 },
    { type: "conv2d", name: "conv", filters: 5, kernelSize: [3, 2], strides: 2, padding: "same", useBias: false },
    { type: "batch_normalization", name: "norm", momentum: 0.9, epsilon: 0.01 },
    { type: "re_lu", name: "active", maxValue: 6 },
    { type: "depthwise_conv2d", name: "depthwise", kernelSize: 2, depthMultiplier: 2 },
    { type: "max_pooling2d", name: "most" },
    { type: "average_pooling2d", name: "mean", poolSize: 3, strides: 1, padding: "same" },
    { type: "flatten", name: "flat" },
    { type: "dense", name: "hidden", units: 12 },
    { type: "dropout", name: "drop", rate: 0.5 },
    { type: "dense", name: "input", units: 4 },
  ],
};

/** Pooled globally, which flattens too. */
export const GLOBALLY_POOLED: ModelSpec = {
  ...EVERY_LAYER,
  layers: EVERY_LAYER.layers.map((layer) =>
    layer.type === "flatten" ? { type: "global_average_pooling2d", name: "all" } : layer,
  ),
};

/** Value `index` of the weight at `position`: -0.28 to 0.52, a variance 0.5 to 1.02. As in scripts/keras-references.py. */
export function weightValue(position: number, name: string, index: number): number {
  const value = (((index * 7919 + position * 104729) % 2001) - 700) / 2500;
  return name.includes("variance") ? 0.5 + Math.abs(value) : value;
}

export function weightsOf(model: ModelSpec): NamedTensorData {
  const named = measureLayers(model).flatMap(({ name, weights }) =>
    Object.entries(weights).map(([weight, shape]) => [`weights/${name}/${weight}`, shape] as const),
  );
  return Object.fromEntries(
    named.map(([key, shape], position) => {
      const count = shape.reduce((product, extent) => product * extent, 1);
      const values = Float32Array.from({ length: count }, (_, index) => weightValue(position, key, index));
      return [key, { dtype: "f32", shape, values }];
    }),
  );
}

/** Pixels of scripts/keras-references.py. */
export function pixelsOf(shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return Uint8Array.from({ length: count }, (_, index) => (index * 97) % 256);
}
