import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NamedTensorData } from "../../../src/compute/index.ts";
import { exportModel } from "../../../src/jobs/export-model.ts";
import { findTeacher, trainedModel } from "../../../src/jobs/find-teacher.ts";
import { type ModelSpec, parseSpec } from "../../../src/run-spec/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { EVERY_LAYER, weightsOf } from "./every-layer.ts";
import { writeRun } from "./write-run.ts";

const example = (name: string): Promise<string> =>
  readFile(new URL(`../../../examples/${name}.yaml`, import.meta.url), "utf8");
const clock = systemClock();
const one = (value: number): NamedTensorData[string] => ({ dtype: "f32", shape: [1], values: Float32Array.of(value) });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let notes: string[] = [];
const note = (line: string): void => {
  notes.push(line);
};
const teacher = (named: { readonly run?: string; readonly file?: string; readonly cuts?: string[] }) =>
  findTeacher({ teacher: { replicas: 1, ...named }, runs: folder.path, note }, clock);

beforeAll(async () => {
  folder = await temporaryFolder();
  const training = parseSpec(await example("mnist-teacher"), { file: "mnist-teacher.yaml" });
  await writeRun(folder.path, "trained", training, [
    { generation: 5, phase: "training", states: { "block-0": { "weights/a/kernel": one(5) } } },
    {
      generation: 9,
      phase: "training",
      states: {
        "block-0": { "weights/a/kernel": one(9), "average/a/kernel": one(8), "optimizer/a/kernel/m": one(1) },
        "block-1": { "weights/b/kernel": one(7) },
      },
    },
  ]);
  const distilled = parseSpec(await example("mnist-sections"), { file: "mnist-sections.yaml" });
  const phase = (name: string, generation: number) => ({
    generation,
    phase: name,
    states: { student: { "weights/a/kernel": one(generation) } },
  });
  await writeRun(folder.path, "under-way", distilled, [phase("baseline", 1), phase("sections", 2)]);
  await writeRun(folder.path, "distilled", distilled, [phase("baseline", 1), phase("finetune", 3)]);
});
afterAll(() => folder[Symbol.asyncDispose]());

describe("findTeacher", () => {
  it("takes the newest checkpoint of a run, and the moving average where a layer has one", async () => {
    const found = await teacher({ run: "trained" });
    expect(found.step).toBe(9);
    expect(found.tensors).toEqual({ "weights/a/kernel": one(8), "weights/b/kernel": one(7) });
  });

  it("cuts the teacher where the spec says", async () => {
    const found = await teacher({ run: "trained", cuts: ["pool1"] });
    expect(found.model.cuts).toEqual(["pool1"]);
  });

  it("notes a model file that does not scale its input", async () => {
    const unscaled: ModelSpec = { ...EVERY_LAYER, layers: EVERY_LAYER.layers.slice(1) };
    for (const [name, model] of Object.entries({ scaled: EVERY_LAYER, unscaled })) {
      const options = { name, format: "tfjs", directory: join(folder.path, name), classNames: [] } as const;
      await exportModel({ model, tensors: weightsOf(model) }, options);
      notes = [];
      const found = await teacher({ file: join(folder.path, name, "model.json") });
      expect(found.tensors).toEqual(weightsOf(model));
      expect(notes).toEqual(
        name === "scaled" ? [] : [expect.stringMatching(/unscaled\/model\.json.*no Rescaling.*0 to 255/)],
      );
    }
  });

  it("refuses no teacher, two of them, and a run that is not there", async () => {
    await expect(teacher({})).rejects.toThrow(/KN_CONFIG.*exactly one.*neither/);
    await expect(teacher({ run: "trained", file: "model.json" })).rejects.toThrow(/KN_CONFIG.*exactly one.*both/);
    await expect(teacher({ run: "nobody" })).rejects.toThrow(/KN_CONFIG.*nobody/);
  });
});

describe("trainedModel", () => {
  const stepOf = async (name: string, phase?: "baseline" | "finetune") =>
    (await trainedModel(name, folder.path, clock, note, phase)).step;

  it("takes the last phase of a distillation run, and its baseline only by name", async () => {
    expect(await stepOf("distilled")).toBe(3);
    expect(await stepOf("distilled", "baseline")).toBe(1);
    expect(await stepOf("under-way", "baseline")).toBe(1);
  });

  it("refuses sections, which are not one network, and a phase that has not ended", async () => {
    await expect(stepOf("under-way")).rejects.toThrow(/KN_CHECKPOINT.*phase sections.*kn resume under-way/);
    await expect(stepOf("under-way", "finetune")).rejects.toThrow(/KN_CHECKPOINT.*none of the phase finetune/);
  });
});
