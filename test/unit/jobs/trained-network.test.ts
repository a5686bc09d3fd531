import { describe, expect, it } from "vitest";
import type { NamedTensorData } from "../../../src/compute/index.ts";
import { releaseOfRun } from "../../../src/jobs/release-of-run.ts";
import { trainedNetwork, type TrainedNetworkOptions } from "../../../src/jobs/trained-network.ts";
import { modelManifestSchema, parseSpec } from "../../../src/run-spec/index.ts";
import { type Checkpoints, openCheckpoints, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { type SavedGeneration, saveGenerations } from "./write-run.ts";

const SPEC = parseSpec(
  `
kind: training
name: tiny
data: { dataset: mnist }
model:
  input: [28, 28, 1]
  classes: 10
  layers:
    - { name: flat, type: flatten }
    - { name: d1, type: dense, units: 2 }
    - { name: d2, type: dense, units: 10 }
  cuts: [d1]
training: { epochs: 1, batchSize: 64 }
`,
  { file: "tiny.yaml" },
);

const filled = (shape: number[], value: number): NamedTensorData[string] => ({
  dtype: "f32",
  shape,
  values: new Float32Array(shape.reduce((a, b) => a * b)).fill(value),
});

/** All weights are `value`, as two blocks save them, with what a release leaves out. */
const statesOf = (value: number): SavedGeneration["states"] => ({
  "block-0": {
    "weights/d1/kernel": filled([784, 2], value),
    "weights/d1/bias": filled([2], value),
    "optimizer/d1/kernel/m": filled([784, 2], 9),
  },
  "block-1": { "weights/d2/kernel": filled([2, 10], value), "weights/d2/bias": filled([10], value) },
  "gradient-0": { "weights/hidden/kernel": filled([2, 2], 9) },
});

const account = {
  "block-0": { version: "8", skipped: '{"unanswered":1,"refused":1}' },
  "block-1": {
    version: "10",
    skipped: "{}",
    evaluation: JSON.stringify({ evaluation: 2, correct: 30, samples: 40, lossSum: 1, through: 12 }),
  },
};

async function scene(generations: readonly SavedGeneration[]) {
  const store = await memoryStore({ clock: simulatedClock() });
  await saveGenerations(store, "r", generations);
  const checkpoints = await openCheckpoints(store, scopeOfRun("r"));
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const take = (options: Partial<TrainedNetworkOptions> = {}, from: Checkpoints = checkpoints) =>
    trainedNetwork(from, { run: "r", spec: SPEC, note, ...options });
  return { store, checkpoints, notes, take };
}

const trained = (generation: number, value = generation): SavedGeneration => ({
  generation,
  phase: "training",
  states: statesOf(value),
  metadata: account,
});

describe("trainedNetwork", () => {
  it("takes the newest generation, or the one that is named, with the account of its learners", async () => {
    const { take } = await scene([trained(5), trained(10)]);
    const newest = await take();
    expect(newest).toMatchObject({
      step: 10,
      manifest: { generation: 10, attempt: 1 },
      learners: [
        { actor: "block-0", applied: 8, skipped: 2 },
        { actor: "block-1", applied: 10, skipped: 0 },
      ],
      evaluation: { evaluation: 2, accuracy: 0.75, samples: 40 },
    });
    expect(newest.tensors["weights/d1/bias"]).toEqual(filled([2], 10));
    expect((await take({ generation: 5 })).tensors["weights/d1/bias"]).toEqual(filled([2], 5));
  });

  it("refuses a generation that is not kept with KN_CONFIG, and names those that are", async () => {
    const { take } = await scene([trained(5), trained(10)]);
    await expect(take({ generation: 7 })).rejects.toThrow(/KN_CONFIG.*it has 10 \(training\), 5 \(training\)/);
    const empty = await scene([]);
    await expect(empty.take()).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await expect(empty.take({ generation: 1 })).rejects.toThrow(/KN_CONFIG.*it has none/);
  });

  it("a run that goes on commits others and deletes this one while it is read: a newer one is taken", async () => {
    const { store, checkpoints, take } = await scene([trained(5)]);
    let loads = 0;
    const racing: Checkpoints = {
      ...checkpoints,
      async load(actor, at) {
        loads += 1;
        if (loads === 2)
          for (const generation of [10, 15, 20]) await saveGenerations(store, "r", [trained(generation)]);
        return checkpoints.load(actor, at);
      },
    };
    expect((await take({}, racing)).step).toBe(20);
  });
});

describe("trainedNetwork, of a distillation run", () => {
  /** A checkpoint of the whole student, whose evaluation uses the average of its weights. */
  const student = (generation: number, phase: string, actor = "student"): SavedGeneration => ({
    generation,
    phase,
    states: { [actor]: { "weights/d1/bias": filled([2], 1), "average/d1/bias": filled([2], generation) } },
    metadata: { [actor]: { version: String(generation), skipped: "{}" } },
  });

  it("takes the finetuned student with its averages, not the baseline unless it is named", async () => {
    const { take } = await scene([student(3, "baseline", "student-alone"), student(9, "finetune")]);
    const found = await take();
    expect(found.tensors).toEqual({ "weights/d1/bias": filled([2], 9) });
    expect(found.learners).toEqual([{ actor: "student", applied: 9, skipped: 0 }]);
    expect(found.evaluation).toBeUndefined();
    expect((await take({ generation: 3 })).learners).toMatchObject([{ actor: "student-alone", applied: 3 }]);
    expect((await take({ phase: "baseline" })).step).toBe(3);
  });

  it("refuses the sections, which are not one network, with KN_CHECKPOINT, by step too", async () => {
    const { take } = await scene([student(3, "baseline", "student-alone"), student(5, "sections", "student-0")]);
    await expect(take()).rejects.toThrow(/KN_CHECKPOINT.*the newest is of the phase sections.*kn resume r/);
    await expect(take({ generation: 5 })).rejects.toThrow(/KN_CHECKPOINT.*at that step is of the phase sections/);
    const baseline = await scene([student(3, "baseline", "student-alone")]);
    await expect(baseline.take()).rejects.toThrow(/KN_CHECKPOINT.*of the phase baseline/);
  });
});

describe("releaseOfRun", () => {
  it("gives a part for each block, with its weights and nothing else, and a manifest that is valid", async () => {
    const { take } = await scene([trained(10)]);
    const network = await take();
    const evaluations = [
      { evaluation: 1, step: 4, accuracy: 0.75 },
      { evaluation: 2, step: 9, accuracy: 0.75 },
      { evaluation: 3, step: 20, accuracy: 0.75 },
    ];
    const options = { run: "r", spec: SPEC, network, evaluations, softwareVersion: "0.1.0", nowMs: 0 };
    const { facts, parts } = releaseOfRun(options);
    expect(parts.map((part) => Object.keys(part))).toEqual([
      ["weights/d1/kernel", "weights/d1/bias"],
      ["weights/d2/kernel", "weights/d2/bias"],
    ]);
    expect(modelManifestSchema.parse({ ...facts, format: 1, model: "m" })).toMatchObject({
      image: { height: 28, width: 28, channels: 1 },
      classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
      origin: { run: "r", kind: "training", attempt: 1, generation: 10, phase: "training", blocks: network.learners },
      evaluation: { accuracy: 0.75, samples: 40, step: 9 },
      createdAt: "1970-01-01T00:00:00.000Z",
    });
    expect(releaseOfRun({ ...options, evaluations: [] }).facts.evaluation?.step).toBe(10);
  });

  it.each([
    [[4], undefined],
    [[8, 6], { height: 8, width: 6, channels: 1 }],
    [[8, 6, 3], { height: 8, width: 6, channels: 3 }],
    [[8, 6, 2], undefined],
  ])("an input of %j is an image of %j; classes that the data do not name are numbers", async (input, image) => {
    const { take } = await scene([trained(10)]);
    const network = await take();
    const { evaluation: _none, ...rest } = network;
    const model = {
      ...network.model,
      input,
      classes: 2,
      layers: [{ type: "flatten", name: "flat" } as const],
      cuts: [],
    };
    const { facts } = releaseOfRun({
      ...{ run: "r", spec: SPEC, evaluations: [], softwareVersion: "0.1.0", nowMs: 0 },
      network: { ...rest, model },
    });
    expect(facts.image).toEqual(image === undefined ? undefined : { ...image, resize: "bilinear" });
    expect([facts.classNames, facts.evaluation]).toEqual([["0", "1"], undefined]);
  });
});
