import { describe, expect, it } from "vitest";
import { sectionUnit, wholeUnit } from "../../../../../src/jobs/kinds/distillation/student-units.ts";
import type { LayerSpec } from "../../../../../src/run-spec/index.ts";
import { distillationSpec, slice } from "../../run-scene.ts";

const spec = distillationSpec({
  sections: { epochs: 2, localCrossEntropy: 0.1, optimizer: { kind: "adam", learningRate: 0.01 }, warmup: 0.25 },
  finetune: { epochs: 1, ema: 0.9, optimizer: { kind: "sgd", learningRate: 0.05 } },
  baseline: { optimizer: { kind: "sgd", learningRate: 0.2 }, schedule: "constant" },
});
const plan = { teacherSlices: [0, 1, 2].map((index) => slice(index, 12)), totalSteps: 16 };
const adapter: LayerSpec = { name: "adapter-0", type: "dense", units: 12, useBias: false };
const adapters = [[adapter], [], []];
const section = (index: number) => sectionUnit(spec, index, plan, adapters);

describe("sectionUnit", () => {
  it("takes the input of its teacher's section, and ends with its adapter", () => {
    expect(section(0)).toMatchObject({ inputShape: [4], seed: 3, classes: 2, averageDecay: 0 });
    expect(section(1).inputShape).toEqual([12]);
    expect(section(0).layers.map(({ name }) => name)).toEqual(["d1", "r1", "adapter-0"]);
    expect(section(1).layers.map(({ name }) => name)).toEqual(["d2", "r2"]);
  });

  it("learns features, and the last section logits", () => {
    expect(section(0).objective).toMatchObject({ kind: "features", localCrossEntropy: 0.1 });
    expect(section(2).objective).toMatchObject({ kind: "logits", crossEntropy: 0.5, teacher: { weight: 9 } });
  });

  it("has the schedule of its own phase", () => {
    expect(section(0).learningRate).toEqual({ peak: 0.01, schedule: "cosine", warmup: 0.25, totalSteps: 16 });
  });
});

describe("wholeUnit", () => {
  it("of the comparison learns from labels alone, at its own rate", () => {
    const unit = wholeUnit(spec, { phase: "baseline", totalSteps: 24 });
    expect(unit.objective).toEqual({ kind: "logits", crossEntropy: 1 });
    expect(unit.learningRate).toEqual({ peak: 0.2, schedule: "constant", warmup: 0, totalSteps: 24 });
    expect(unit.averageDecay).toBe(0.9);
  });

  it("of the stitched student learns from the teacher too", () => {
    const unit = wholeUnit(spec, { phase: "finetune", totalSteps: 8 });
    expect(unit.objective).toMatchObject({ kind: "logits", crossEntropy: 0.5, teacher: { kind: "standardised" } });
    expect(unit).toMatchObject({ inputShape: [4], learningRate: { peak: 0.05 }, averageDecay: 0.9 });
    expect(unit.layers).toHaveLength(5);
  });
});
