/** The stitched student says what its sections with their adapters say, one after the other: checked by running both. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { stitchSections } from "../../../../src/compute/distillation/stitch.ts";
import { createTeacherUnit } from "../../../../src/compute/distillation/teacher-unit.ts";
import { createBlockModel } from "../../../../src/compute/nn/block-model.ts";
import { toData } from "../../../../src/compute/nn/tensors.ts";
import type { NamedTensorData } from "../../../../src/compute/index.ts";
import { adapterLayers, type LayerSpec } from "../../../../src/run-spec/index.ts";
import { normal, normalData, relativeDifference } from "../reference.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

/** Weights of these layers that look trained: nothing is 0 or 1, variances are positive. */
function trainedWeights(inputShape: readonly number[], layers: readonly LayerSpec[], seed: number): NamedTensorData {
  const model = createBlockModel({ inputShape, layers, seed });
  const named: Record<string, NamedTensorData[string]> = {};
  model.weights.forEach((weight, index) => {
    const drawn = tf.tidy(() => {
      const noise = normal(weight.shape as number[], seed + index + 1);
      return weight.originalName.endsWith("moving_variance") ? noise.abs().add(0.5) : noise.mul(0.3);
    });
    named[`weights/${weight.originalName}`] = toData(drawn, weight.originalName);
    drawn.dispose();
  });
  model.dispose();
  return named;
}

function outputOf(
  inputShape: readonly number[],
  layers: readonly LayerSpec[],
  weights: NamedTensorData,
  x: Float32Array,
) {
  const unit = createTeacherUnit({ inputShape, layers, weights });
  const output = unit.infer({
    dtype: "f32",
    shape: [x.length / inputShape.reduce((a, b) => a * b, 1), ...inputShape],
    values: x,
  });
  unit.dispose();
  return output;
}

interface Case {
  readonly name: string;
  /** The student's first section, and its boundary; the teacher's is twice as wide. */
  readonly input: readonly number[];
  readonly first: readonly LayerSpec[];
  readonly boundary: readonly number[];
  readonly next: readonly LayerSpec[];
  readonly adapter: readonly LayerSpec["type"][];
}

const CASES: readonly Case[] = [
  {
    name: "dense behind dense, with a bias",
    input: [6],
    first: [{ name: "a", type: "dense", units: 4 }],
    boundary: [4],
    next: [{ name: "b", type: "dense", units: 3 }],
    adapter: ["dense", "batch_normalization"],
  },
  {
    name: "a convolution that does not pad, batch norm behind it instead of a bias",
    input: [6, 6, 2],
    first: [{ name: "a", type: "conv2d", filters: 3, kernelSize: 3, padding: "same", useBias: false }],
    boundary: [6, 6, 3],
    next: [
      { name: "b", type: "conv2d", filters: 4, kernelSize: 3, padding: "valid", useBias: false },
      { name: "n", type: "batch_normalization" },
      { name: "r", type: "re_lu" },
    ],
    adapter: ["conv2d", "batch_normalization"],
  },
  {
    name: "a convolution that pads: no shift, so no batch norm",
    input: [6, 6, 2],
    first: [{ name: "a", type: "conv2d", filters: 3, kernelSize: 3, padding: "same", useBias: false }],
    boundary: [6, 6, 3],
    next: [{ name: "b", type: "conv2d", filters: 4, kernelSize: 3, padding: "same" }],
    adapter: ["conv2d"],
  },
  {
    name: "flatten and dense behind a convolution",
    input: [4, 4, 2],
    first: [{ name: "a", type: "conv2d", filters: 3, kernelSize: 3, padding: "same" }],
    boundary: [4, 4, 3],
    next: [
      { name: "f", type: "flatten" },
      { name: "b", type: "dense", units: 5, useBias: false },
      { name: "n", type: "batch_normalization" },
    ],
    adapter: ["conv2d", "batch_normalization"],
  },
];

describe("stitchSections", () => {
  for (const { name, input, first, boundary, next, adapter: types } of CASES) {
    it(`folds the adapter: ${name}`, () => {
      const wide = [...boundary.slice(0, -1), 2 * (boundary.at(-1) ?? 1)];
      const adapter = adapterLayers(0, boundary, wide, next);
      expect(adapter.map(({ type }) => type)).toEqual(types);
      const withAdapter = [...first, ...adapter];
      const sections = [trainedWeights(input, withAdapter, 10), trainedWeights(wide, next, 50)] as const;

      const { values: samples } = normalData([7, ...input], 3);
      const atCut = outputOf(input, withAdapter, sections[0], samples);
      const apart = outputOf(wide, next, sections[1], atCut.values as Float32Array);
      const weights = stitchSections([
        { layers: first, adapter, tensors: sections[0] },
        { layers: next, adapter: [], tensors: sections[1] },
      ]);
      const together = outputOf(input, [...first, ...next], weights, samples);

      expect(Object.keys(weights).some((key) => key.includes("adapter"))).toBe(false);
      expect(together.shape).toEqual(apart.shape);
      expect(relativeDifference(together.values as Float32Array, apart.values as Float32Array)).toBeLessThan(1e-5);
    });
  }

  it("without adapters it is the weights of all sections as they are, and nothing else of their state", () => {
    const layers: LayerSpec[] = [{ name: "a", type: "dense", units: 2 }];
    const weights = trainedWeights([3], layers, 1);
    const tensors = {
      ...weights,
      "optimizer/a/kernel/velocity": weights["weights/a/kernel"] as NamedTensorData[string],
    };
    expect(stitchSections([{ layers, adapter: [], tensors }])).toEqual(weights);
  });

  it("refuses a section that lacks a weight with KN_CHECKPOINT", () => {
    const [first, next]: LayerSpec[][] = [
      [{ name: "a", type: "dense", units: 2 }],
      [{ name: "b", type: "dense", units: 2 }],
    ];
    const adapter = adapterLayers(0, [2], [4], next as LayerSpec[]);
    expect(() =>
      stitchSections([
        { layers: first as LayerSpec[], adapter, tensors: trainedWeights([3], first as LayerSpec[], 1) },
        { layers: next as LayerSpec[], adapter: [], tensors: {} },
      ]),
    ).toThrow(/KN_CHECKPOINT.*adapter-0\/kernel/);
  });
});
