import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { createBlockModel } from "../../../../src/compute/nn/block-model.ts";
import { createSlice } from "../../../../src/compute/nn/slice.ts";
import { LAYER_TYPES, type LayerSpec, type LayerType } from "../../../../src/run-spec/index.ts";
import { normal } from "../reference.ts";

const IMAGE = [6, 6, 2];
/** One layer of each type, with the shape of a sample and whether the layer draws anything at random. */
const EVERY_TYPE = {
  rescaling: { layer: { type: "rescaling", name: "l", scale: 2 }, shape: IMAGE, draws: false },
  conv2d: { layer: { type: "conv2d", name: "l", filters: 3, kernelSize: 3 }, shape: IMAGE, draws: true },
  depthwise_conv2d: { layer: { type: "depthwise_conv2d", name: "l", kernelSize: 3 }, shape: IMAGE, draws: true },
  dense: { layer: { type: "dense", name: "l", units: 4 }, shape: [5], draws: true },
  batch_normalization: { layer: { type: "batch_normalization", name: "l" }, shape: IMAGE, draws: false },
  re_lu: { layer: { type: "re_lu", name: "l" }, shape: IMAGE, draws: false },
  max_pooling2d: { layer: { type: "max_pooling2d", name: "l" }, shape: IMAGE, draws: false },
  average_pooling2d: { layer: { type: "average_pooling2d", name: "l" }, shape: IMAGE, draws: false },
  global_average_pooling2d: { layer: { type: "global_average_pooling2d", name: "l" }, shape: IMAGE, draws: false },
  flatten: { layer: { type: "flatten", name: "l" }, shape: IMAGE, draws: false },
  dropout: { layer: { type: "dropout", name: "l", rate: 0.5 }, shape: IMAGE, draws: true },
} as const satisfies Record<LayerType, { layer: LayerSpec; shape: readonly number[]; draws: boolean }>;

beforeAll(async () => {
  await selectBackend("auto");
});

/** Everything that a build's seed can reach: its weights, and the output of a training forward. */
function drawn(layer: LayerSpec, shape: readonly number[], seed: number): number[][] {
  const model = createBlockModel({ inputShape: shape, layers: [layer], seed });
  const slice = createSlice(model, { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false });
  const input = normal([4, ...shape], 7);
  const output = slice.forward([input], 1);
  const values = [...model.getWeights(), output].map((tensor) => [...tensor.dataSync()]);
  tf.dispose([input, output]);
  slice.dispose();
  return values;
}

describe("createLayer", () => {
  it.each(LAYER_TYPES)("%s: two builds with one seed are equal, two seeds differ where it draws", (type) => {
    const { layer, shape, draws } = EVERY_TYPE[type];
    const first = drawn(layer, shape, 1);
    expect(drawn(layer, shape, 1)).toEqual(first);
    if (draws) expect(drawn(layer, shape, 2)).not.toEqual(first);
    else expect(drawn(layer, shape, 2)).toEqual(first);
  });
});
