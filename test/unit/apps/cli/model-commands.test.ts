/** `kn import`, `plan`, `export`, `predict` and `evaluate`, on models with weights by a formula. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerEvaluate } from "../../../../src/apps/cli/commands/evaluate.ts";
import { registerExport } from "../../../../src/apps/cli/commands/export.ts";
import { registerImport } from "../../../../src/apps/cli/commands/import.ts";
import { registerPlan } from "../../../../src/apps/cli/commands/plan.ts";
import { registerPredict } from "../../../../src/apps/cli/commands/predict.ts";
import { openDataset } from "../../../../src/apps/open-dataset.ts";
import type { NamedTensorData } from "../../../../src/compute/index.ts";
import { exportModel } from "../../../../src/jobs/export-model.ts";
import { importModelFile } from "../../../../src/jobs/import-model.ts";
import { type LayerSpec, type ModelSpec, parseSpec } from "../../../../src/run-spec/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { EVERY_LAYER, pixelsOf, weightsOf } from "../../jobs/every-layer.ts";
import { writeRun } from "../../jobs/write-run.ts";
import { runCommand } from "./run-command.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]): string => join(folder.path, ...parts);

/** Takes 4 samples as they are: no scaling, one dense layer. */
const FLAT: ModelSpec = {
  input: [4],
  classes: 3,
  cuts: [],
  layers: [{ type: "dense", name: "only", units: 3, useBias: false }],
};
/** class 0 adds the samples, class 1 takes the first, class 2 is always 0; in hundredths. */
const FLAT_WEIGHTS: NamedTensorData = {
  "weights/only/kernel": {
    dtype: "f32",
    shape: [4, 3],
    values: Float32Array.from([1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0], (each) => each / 100),
  },
};

const DIGITS_YAML = `
kind: training
name: digits
data: { dataset: mnist, limit: 200, holdout: 100 }
model:
  input: [28, 28, 1]
  classes: 10
  layers:
    - { name: scale, type: rescaling, scale: 0.01 }
    - { name: flat, type: flatten }
    - { name: logits, type: dense, units: 10 }
  cuts: []
training: { epochs: 1, batchSize: 64 }
evaluation: { samples: 100, batchSize: 40 }
`;

async function writePng(name: string, shape: readonly [number, number, 1 | 2 | 3 | 4], data: Uint8Array) {
  const [height, width, channels] = shape;
  await writeFile(at(name), encode({ width, height, channels, depth: 8, data }));
  return at(name);
}

interface Prediction {
  readonly backend: string;
  readonly classes: readonly { readonly class: string; readonly probability: number }[];
}
const predict = (...argv: string[]) => runCommand(registerPredict, ["predict", "--backend", "cpu", ...argv]);
/** Probability by class, and what was noted. */
async function probabilities(...argv: string[]) {
  const { stdout, stderr } = await predict(...argv, "--json");
  const { classes } = JSON.parse(stdout) as Prediction;
  const found: Readonly<Record<string, number>> = Object.fromEntries(
    classes.map((each) => [each.class, each.probability]),
  );
  return { found, stderr };
}
function softmaxOf(logits: readonly number[]): number[] {
  const exponentials = logits.map((logit) => Math.exp(logit));
  return exponentials.map((each) => each / exponentials.reduce((sum, other) => sum + other, 0));
}

beforeAll(async () => {
  folder = await temporaryFolder();
  const every = { name: "every", format: "tfjs", directory: at("every"), classNames: ["a", "b", "c", "d"] } as const;
  await exportModel({ model: EVERY_LAYER, tensors: weightsOf(EVERY_LAYER) }, every);
  await exportModel(
    { model: FLAT, tensors: FLAT_WEIGHTS },
    { name: "flat", format: "tfjs", directory: at("flat"), classNames: [] },
  );
});
afterAll(() => folder[Symbol.asyncDispose]());

describe("kn predict", { timeout: 60_000 }, () => {
  it("gives the probabilities that Keras computes, the most probable class first", async () => {
    const references = JSON.parse(
      await readFile(new URL("../../jobs/keras-references.json", import.meta.url), "utf8"),
    ) as Record<string, { exported: number[] }>;
    const expected = references["keras 3.15.1"]?.exported ?? [];
    const image = await writePng("every.png", [12, 10, 3], pixelsOf(EVERY_LAYER.input));
    const end = await predict(at("every"), image, "--json");
    expect(end).toMatchObject({ code: 0, stderr: "" });
    const { classes, backend } = JSON.parse(end.stdout) as Prediction;
    expect(backend).toBe("cpu");
    for (const { class: name, probability } of classes) {
      expect(probability).toBeCloseTo(expected["abcd".indexOf(name)] ?? NaN, 5);
    }
    expect(classes.map(({ probability }) => probability)).toEqual(
      [...expected].sort((a, b) => b - a).map((each) => expect.closeTo(each, 5) as number),
    );
    expect((await predict(at("every"), image)).stdout).toMatch(new RegExp(`${classes[0]?.class} .*%`));
  });

  it("flattens an image of the input's size, and notes that pixels are 0 to 255", async () => {
    const image = await writePng("four.png", [2, 2, 1], Uint8Array.of(100, 50, 20, 0));
    const { found, stderr } = await probabilities(at("flat"), image);
    softmaxOf([1.7, 1, 0]).forEach((each, index) => {
      expect(found[index]).toBeCloseTo(each, 5);
    });
    expect(stderr).toMatch(/no Rescaling.*0 to 255/);
  });

  it("refuses an image that a flat input cannot take, with both shapes", async () => {
    const image = await writePng("large.png", [28, 28, 1], new Uint8Array(784));
    await expect(predict(at("flat"), image)).rejects.toMatchObject({
      code: "KN_SHAPE",
      message: expect.stringMatching(/\[28, 28, 1 or 3\] for an input of \[4\]/) as string,
    });
  });

  it("lays transparent pixels on black, or on the background that is named, and says so", async () => {
    // White ink; its form is in alpha alone.
    const image = await writePng("ink.png", [2, 2, 2], Uint8Array.of(255, 255, 255, 0, 255, 0, 255, 0));
    const black = await probabilities(at("flat"), image);
    const white = await probabilities(at("flat"), image, "--background", "white");
    expect(black.found["0"]).toBeCloseTo(softmaxOf([2.55, 2.55, 0])[0] ?? NaN, 5);
    expect(white.found["0"]).toBeCloseTo(softmaxOf([10.2, 2.55, 0])[0] ?? NaN, 5);
    expect(black.stderr).toMatch(/ink\.png has transparent pixels.*black.*--background/);
  });

  it("refuses what is no image, and a folder without a model", async () => {
    await writeFile(at("text.png"), "no image");
    await expect(predict(at("every"), at("text.png"))).rejects.toThrow(/KN_CONFIG.*text\.png.*PNG/);
    await expect(predict(at("every"), at("absent.png"))).rejects.toThrow(/KN_CONFIG.*absent\.png.*readable file/);
    await expect(predict(at("nothing"), at("text.png"))).rejects.toThrow(/KN_CONFIG.*model\.json/);
  });
});

describe("kn import", () => {
  const importModel = (...argv: string[]) => runCommand(registerImport, ["import", at("every/model.json"), ...argv]);

  it("shows layers, sections and the bytes that a cut sends", async () => {
    const { code, stdout, stderr } = await importModel("--cuts", "active,flat", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      input: [12, 10, 3],
      classes: 4,
      layers: expect.arrayContaining([
        expect.objectContaining({ name: "active", outputShape: [6, 5, 5], isCut: true, hintBytes: 300 }),
        expect.objectContaining({ name: "input", canBeCut: false }),
      ]) as unknown[],
      sections: [{ layers: ["scale", "conv", "norm", "active"] }, {}, { outputShape: [4] }],
    });
    expect((await importModel("--cuts", "active")).stdout).toMatch(/active.*<- cut/);
    expect((await importModel()).stdout).toContain("--cuts");
  });

  it("refuses cuts that name no layer, go back, or leave nothing", async () => {
    await expect(importModel("--cuts", "nowhere")).rejects.toThrow(/KN_CONFIG.*nowhere/);
    await expect(importModel("--cuts", "flat,conv")).rejects.toThrow(/KN_CONFIG.*order.*flat, conv/);
    await expect(importModel("--cuts", "input")).rejects.toThrow(/KN_CONFIG.*must leave a layer behind/);
  });

  it("notes a network that does not scale its input, beside the result", async () => {
    const { stdout, stderr } = await runCommand(registerImport, ["import", at("flat/model.json"), "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ classes: 3 });
    expect(stderr).toMatch(/flat\/model\.json.*no Rescaling.*0 to 255/);
  });
});

describe("kn plan", () => {
  const TEACHER: readonly LayerSpec[] = [
    { type: "rescaling", name: "scale", scale: 0.01 },
    { type: "conv2d", name: "conv1", filters: 16, kernelSize: 3 },
    { type: "re_lu", name: "active1" },
    { type: "max_pooling2d", name: "pool1" },
    { type: "conv2d", name: "conv2", filters: 32, kernelSize: 3 },
    { type: "re_lu", name: "active2" },
    { type: "flatten", name: "flat" },
    { type: "dense", name: "logits", units: 10 },
  ];
  const spec = DIGITS_YAML.replace(/layers:[^]*cuts: \[\]/, `layers: ${JSON.stringify(TEACHER)}\n  cuts: [pool1]`);
  const plan = (...argv: string[]) => runCommand(registerPlan, ["plan", ...argv]);
  beforeAll(() => writeFile(at("teacher.yaml"), spec));

  it("derives a smaller student with the teacher's boundaries, and writes a spec that parses", async () => {
    const { code, stdout } = await plan(at("teacher.yaml"), "--compress", "0.5", "-o", at("student.yaml"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/fewer parameters/);
    expect(stdout).toContain(`wrote ${at("student.yaml")}`);
    const student = parseSpec(await readFile(at("student.yaml"), "utf8"), { file: "student.yaml" });
    expect(student).toMatchObject({ kind: "distillation", name: "digits-student", teacher: { cuts: ["pool1"] } });
    await expect(plan(at("teacher.yaml"), "-o", at("student.yaml"))).rejects.toThrow(/KN_CONFIG.*must be new/);
  });

  it("takes a model.json with cuts, and prints JSON alone", async () => {
    const model = parseSpec(spec, { file: "teacher.yaml" });
    if (model.kind !== "training") throw new TypeError("a teacher's spec");
    const options = { name: "t", format: "tfjs", directory: at("teacher"), classNames: [] } as const;
    await exportModel({ model: model.model, tensors: weightsOf(model.model) }, options);
    const { stdout } = await plan(at("teacher/model.json"), "--cuts", "pool1", "--json");
    expect(Object.keys(JSON.parse(stdout) as object).length).toBeGreaterThan(0);
    await expect(plan(at("teacher/model.json"))).rejects.toThrow(/KN_CONFIG.*cut into sections.*no cuts/);
    await expect(plan(at("teacher/model.json"), "--cuts", "nowhere")).rejects.toThrow(/KN_CONFIG.*nowhere/);
    await expect(plan(at("teacher/model.json"), "--cuts", "pool1,conv1")).rejects.toThrow(/KN_CONFIG.*order/);
  });

  it("refuses a file that is not there and the spec of a distillation", async () => {
    await expect(plan(at("absent.yaml"))).rejects.toThrow(/KN_CONFIG.*absent\.yaml.*readable/);
    await expect(plan(at("student.yaml"))).rejects.toThrow(/KN_CONFIG.*training.*distillation/);
  });
});

describe("kn export and kn evaluate", { timeout: 60_000 }, () => {
  const spec = parseSpec(DIGITS_YAML, { file: "digits.yaml" });
  if (spec.kind !== "training") throw new TypeError("a training spec");
  const tensors = weightsOf(spec.model);
  const runs = (): string[] => ["--runs", at("runs")];
  beforeAll(async () => {
    await writeRun(at("runs"), "digits", spec, [
      { generation: 7, phase: "training", states: { "block-0": tensors, feeder: {} } },
    ]);
    await writeRun(at("runs"), "fresh", spec, []);
  });

  it("export writes the weights of the last checkpoint, and the names of the data's classes", async () => {
    const { code, stdout } = await runCommand(registerExport, ["export", "digits", "-o", at("out"), ...runs()]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: [at("out/weights.bin"), at("out/model.json")].join("\n") });
    const back = await importModelFile(at("out/model.json"));
    expect(back.tensors).toEqual(tensors);
    expect(back.classNames).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    const keras = ["export", "digits", "--format", "keras-json", "-o", at("keras"), ...runs()];
    expect((await runCommand(registerExport, keras)).stdout).toContain("load.py");
  });

  it("refuse a run that is not there, and one that was never saved", async () => {
    for (const [register, ...argv] of [
      [registerExport, "export", "-o", at("none")],
      [registerEvaluate, "evaluate", "--split", "validation"],
    ] as const) {
      await expect(runCommand(register, [...argv, ...runs(), "nobody"])).rejects.toThrow(/KN_CONFIG.*nobody/);
      await expect(runCommand(register, [...argv, ...runs(), "fresh"])).rejects.toThrow(/KN_CHECKPOINT.*fresh.*none/);
    }
  });

  it("evaluate counts what a plain product of matrices gets right, in batches that do not divide the split", async () => {
    const { validation } = await openDataset({ data: spec.data, env: {} });
    const { samples, labels } = validation.batch(Array.from({ length: validation.count }, (_, row) => row));
    const [kernel, bias] = ["kernel", "bias"].map((name) => tensors[`weights/logits/${name}`]?.values ?? []);
    let correct = 0;
    let loss = 0;
    labels.values.forEach((label, row) => {
      const logits = Array.from({ length: 10 }, (_, unit) => {
        let logit = bias?.[unit] ?? 0;
        for (let pixel = 0; pixel < 784; pixel += 1) {
          logit += ((samples.values[row * 784 + pixel] ?? 0) / 100) * (kernel?.[pixel * 10 + unit] ?? 0);
        }
        return logit;
      });
      const largest = Math.max(...logits);
      if (logits.indexOf(largest) === label) correct += 1;
      loss +=
        Math.log(logits.reduce((sum, each) => sum + Math.exp(each - largest), 0)) + largest - (logits[label] ?? NaN);
    });
    const argv = ["evaluate", "digits", "--split", "validation", "--backend", "cpu", ...runs()];
    const measured = JSON.parse((await runCommand(registerEvaluate, [...argv, "--json"])).stdout) as { loss: number };
    expect(measured).toMatchObject({ run: "digits", step: 7, samples: 100, accuracy: correct / 100, backend: "cpu" });
    expect(measured.loss / (loss / 100)).toBeCloseTo(1, 4);
    const { stdout } = await runCommand(registerEvaluate, argv);
    expect(stdout).toContain(`digits at step 7: ${correct.toFixed(2)} % of 100 validation images`);
  });
});
