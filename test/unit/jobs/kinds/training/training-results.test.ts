import { describe, expect, it } from "vitest";
import { trainingKind } from "../../../../../src/jobs/kinds/training/index.ts";
import type { TrainingResults } from "../../../../../src/jobs/kinds/training/training-results.ts";
import { type EndChanges, evaluation, phaseEnd, progress, slice, smallDataset, trainingSpec } from "../../run-scene.ts";

const spec = trainingSpec({ gradients: { boundaries: { r2: { source: "auxiliary" } } } });
const slices = [0, 1, 2].map((index) => slice(index));
const context = { run: "tiny-1", spec, dataset: smallDataset(), bus: "memory", slices, teacherSlices: [] };

const results = (end: EndChanges = {}): TrainingResults => trainingKind.results([phaseEnd(end)], undefined, context);
const backend = (name: string) => ({ name, tfjsBackend: name, threads: 1 }) as never;

describe("trainingResultsOf", () => {
  it("has the accuracy of the evaluation after the last step, and the speed of this process alone", () => {
    expect(results({ stepsBefore: 8 })).toMatchObject({
      run: "tiny-1",
      kind: "training",
      outcome: "completed",
      accuracy: 0.16,
      epochs: 2,
      steps: 16,
      seconds: 8,
      stepsPerSecond: 1,
      dataset: context.dataset.fingerprint,
      bus: "memory",
      seed: 3,
    });
  });

  it("lists every evaluation with its time since the first batch, short ones too", () => {
    const evaluations = [evaluation(8, { samples: 5, loss: 0.123456 }), evaluation(16)];
    expect(results({ record: { evaluations } }).evaluations).toEqual([
      { step: 8, samples: 5, accuracy: 0.08, loss: 0.12346, seconds: 8 },
      { step: 16, samples: 32, accuracy: 0.16, loss: 0.5, seconds: 16 },
    ]);
  });

  it("is unmeasured without a final evaluation, whatever was measured before it", () => {
    const { outcome, accuracy } = results({ record: { evaluations: [evaluation(8)] } });
    expect([outcome, accuracy]).toEqual(["unmeasured", null]);
  });

  it("accounts for the batches of each block, and has zeros for one that never reported", () => {
    const { blocks } = results({
      backends: [backend("native"), backend("wasm")],
      record: { progress: { "block-0": progress({ skipped: { stale: 2 }, applied: 14, drops: { late: 1 } }) } },
    });
    expect(blocks.map(({ id, backend: name }) => [id, name])).toEqual([
      ["block-0", "native"],
      ["block-1", "wasm"],
      ["block-2", "native"],
    ]);
    expect(blocks[0]).toMatchObject({ applied: 14, skipped: { stale: 2 }, published: 16, drops: { late: 1 } });
    expect(blocks[1]).toMatchObject({ consumed: 0, applied: 0, skipped: {}, published: 0, drops: {} });
  });

  it("names the backends in use once each, and says unknown where none is known", () => {
    expect(results({ backends: ["wasm", "native", "wasm"].map(backend) }).backend).toBe("wasm+native");
    expect(results().backend).toBe("unknown");
  });

  it("measures each boundary: bytes per step, and the gradient model where there is one", () => {
    const quality = { cosine: 0.987654, relativeError: 0.123456, updates: 3 };
    const { boundaries } = results({
      record: {
        progress: {
          "block-0": progress({ sentBytes: { act: 1600 } }),
          "block-1": progress({ sentBytes: { grad: 800 } }),
          "gradient-0": progress({ sentBytes: { syn: 160 }, quality, stalenessSteps: 2 }),
        },
      },
    });
    expect(boundaries).toEqual([
      {
        index: 0,
        after: "r1",
        shape: [6],
        source: "synthetic",
        activationBytesPerStep: 100,
        gradientBytesPerStep: 50,
        syntheticBytesPerStep: 10,
        cosine: 0.9877,
        relativeError: 0.1235,
        stalenessSteps: 2,
      },
      {
        index: 1,
        after: "r2",
        shape: [6],
        source: "auxiliary",
        activationBytesPerStep: 0,
        gradientBytesPerStep: 0,
        syntheticBytesPerStep: 0,
      },
    ]);
  });

  it("refuses to write results of nothing", () => {
    expect(() => trainingKind.results([], undefined, context)).toThrow(RangeError);
  });
});
