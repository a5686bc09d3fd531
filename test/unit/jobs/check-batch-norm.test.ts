import { describe, expect, it } from "vitest";
import { jobKindOf } from "../../../src/jobs/kinds/index.ts";
import { type LayerSpec, measureSections, type ModelSpec, type RunSpec } from "../../../src/run-spec/index.ts";
import { distillationSpec, modelOf, trainingSpec } from "./run-scene.ts";

const dense = (name: string, units: number): LayerSpec => ({ name, type: "dense", units });
const norm = (name: string): LayerSpec => ({ name, type: "batch_normalization" });
const net = (input: number[], ...layers: LayerSpec[]): ModelSpec => ({ input, classes: 2, layers, cuts: [] });
const FLAT = net([4], dense("d1", 6), norm("n1"), dense("out", 2));
/** Batch norm over 3 x 3 positions, then over one. */
const image = (...behind: LayerSpec[]): ModelSpec =>
  net([3, 3, 1], { name: "c", type: "conv2d", filters: 2, kernelSize: 1 }, norm("n1"), ...behind);

const plan = (spec: RunSpec) => jobKindOf(spec).slices(spec, async (model) => measureSections(model));
const training = (model: ModelSpec, batchSize: number, source = "locked"): RunSpec =>
  trainingSpec({ model, training: { epochs: 1, batchSize }, gradients: { source } });

describe("the plan of a training run", () => {
  it("refuses batches of 1 where a batch norm follows a dense layer, with KN_CONFIG that names layer and key", async () => {
    await expect(plan(training(FLAT, 1))).rejects.toMatchObject({
      code: "KN_CONFIG",
      rule: "batch norm needs at least 2 values per channel to normalise over: layer n1, training.batchSize 1",
      remedy: "raise training.batchSize to at least 2",
    });
    await expect(plan(training(FLAT, 2))).resolves.toBeDefined();
  });

  it("counts the positions of an image: 3 x 3 are enough for batches of 1, 1 x 1 are not", async () => {
    const flat: LayerSpec = { name: "f", type: "flatten" };
    await expect(plan(training(image(flat, dense("out", 2)), 1))).resolves.toBeDefined();
    const pooled: LayerSpec = { name: "p", type: "max_pooling2d", poolSize: 3 };
    const onePosition = image(pooled, norm("n2"), flat, dense("out", 2));
    await expect(plan(training(onePosition, 1))).rejects.toThrow(/layer n2/);
  });

  it.each([
    ["synthetic", /the gradient model after r1/],
    ["auxiliary", /the auxiliary head after r1/],
  ])("refuses batches of 1 for the batch norm of a flat boundary with source %s", async (source, named) => {
    await expect(plan(training(modelOf(6), 1, source))).rejects.toThrow(named);
    await expect(plan(training(modelOf(6), 1, "locked"))).resolves.toBeDefined();
  });
});

describe("the plan of a distillation", () => {
  it("refuses batches of 1 for the batch norm of an adapter and of a local classifier", async () => {
    await expect(plan(distillationSpec({ batchSize: 1 }))).rejects.toThrow(/the adapter's layer .*, batchSize 1/);
    const wider = modelOf(12).layers.toSpliced(2, 0, dense("wide", 20));
    const teacher = { model: { ...modelOf(12), layers: wider } };
    const equal = { batchSize: 1, teacher, student: { model: modelOf(12) } }; // equal boundaries: no adapter
    await expect(plan(distillationSpec(equal))).resolves.toBeDefined();
    const local = distillationSpec({ ...equal, sections: { epochs: 1, localCrossEntropy: 0.5 } });
    await expect(plan(local)).rejects.toThrow(/the classifier of section 0/);
  });
});
