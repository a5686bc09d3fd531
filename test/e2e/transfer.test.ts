/** Knowledge transfer as a user has it: plan, run, evaluate, export, predict, import; and what is refused before anything is run. */
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kn } from "../support/kn.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}.yaml`, import.meta.url));
const TEACHER = ["run", example("mnist-teacher"), "--set", "model.cuts=[]", "--set", "data.limit=2560"];
const STUDENT = ["run", example("mnist-sections"), "--set", "data.limit=640", "--set", "data.holdout=500"];
const SMALL = ["--set", "sections.epochs=1", "--set", "finetune.epochs=1", "--set", "data.labelled=128"];

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;
let folder: Folder;
let teacher = "";

/** Runs kn to its end, which must be well. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kn(args, folder.path).ended;
  expect(stderr + stdout, args.join(" ")).not.toContain("KN_");
  expect(code).toBe(0);
  return stdout;
}

/** Runs kn to an end that must be a refusal of the configuration. @returns what it said. */
async function refused(...args: string[]): Promise<string> {
  const before = await readdir(join(folder.path, "runs"));
  const { code, stderr } = await kn(args, folder.path).ended;
  expect(code, stderr).toBe(2);
  expect(await readdir(join(folder.path, "runs"))).toEqual(before);
  return stderr;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  ({ run: teacher } = JSON.parse(await done(...TEACHER, "--json")) as { run: string });
}, 120_000);

afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("kn run of a distillation", { timeout: 180_000 }, () => {
  let run = "";

  it("goes from the teacher to the student alone and the student with transfer, and evaluate tells them apart", async () => {
    const results = JSON.parse(await done(...STUDENT, ...SMALL, "--teacher", teacher, "--json")) as {
      run: string;
      teacher: { parameters: number };
      student: { parameters: number };
      phases: { phase: string; accuracy: number; steps: number; learners: { applied: number; published: number }[] }[];
    };
    ({ run } = results);
    expect(results).toMatchObject({ kind: "distillation", outcome: "completed" });
    expect(results.phases.map(({ phase, steps }) => [phase, steps])).toEqual([
      ["baseline", 10],
      ["sections", 5],
      ["finetune", 5],
    ]);
    for (const { learners } of results.phases) for (const each of learners) expect(each.applied).toBe(each.published);
    expect(results.student.parameters).toBeLessThanOrEqual(0.38 * results.teacher.parameters);

    const accuracyOf = async (...phase: string[]): Promise<number> => {
      const said = await done("evaluate", run, "--split", "validation", ...phase, "--json");
      return (JSON.parse(said) as { accuracy: number }).accuracy;
    };
    const [baseline, , finetune] = results.phases;
    expect(await accuracyOf("--phase", "baseline")).toBe(baseline?.accuracy);
    expect(await accuracyOf()).toBe(finetune?.accuracy);
  });

  it("export writes what stock tfjs loads: the same outputs to 1e-5; predict says what it says", async () => {
    const files = (await done("export", run, "-o", "out")).trim().split("\n");
    expect(files).toEqual(["out/weights.bin", "out/model.json"]);
    const json = JSON.parse(await readFile(join(folder.path, "out/model.json"), "utf8")) as {
      modelTopology: object;
      weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
    };
    const weightData = Uint8Array.from(await readFile(join(folder.path, "out/weights.bin"))).buffer;
    const model = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: json.modelTopology,
        weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
        weightData,
      }),
    );
    const pixels = Uint8Array.from({ length: 784 }, (_, index) => (index * 97) % 256);
    const logits = model.predict(tf.tensor4d(Float32Array.from(pixels), [1, 28, 28, 1])) as tf.Tensor2D;
    const expected = await tf.softmax(logits).data();

    await writeFile(
      join(folder.path, "image.png"),
      encode({ width: 28, height: 28, channels: 1, depth: 8, data: pixels }),
    );
    const said = JSON.parse(await done("predict", "out", "image.png", "--json")) as {
      classes: { class: string; probability: number }[];
    };
    for (const { class: name, probability } of said.classes) {
      expect(Math.abs(probability - (expected[Number(name)] ?? NaN))).toBeLessThan(1e-5);
    }
    expect(said.classes.map(({ probability }) => probability)).toEqual(
      said.classes.map(({ probability }) => probability).sort((a, b) => b - a),
    );
  });

  it("export keras-json writes the topology, the weights and how to load them", async () => {
    const files = (await done("export", run, "--format", "keras-json", "-o", "keras")).trim().split("\n");
    expect(files).toEqual(["keras/weights.safetensors", "keras/load.py", "keras/model.json"]);
  });

  it("what was exported can be a teacher: import shows its layers, run takes it, plan derives from it", async () => {
    const shown = JSON.parse(await done("import", "out/model.json", "--cuts", "pool1,pool2", "--json")) as {
      sections: unknown[];
      layers: { name: string; isCut: boolean }[];
    };
    expect(shown.sections).toHaveLength(3);
    expect(shown.layers.filter(({ isCut }) => isCut).map(({ name }) => name)).toEqual(["pool1", "pool2"]);
    await done("plan", "out/model.json", "--cuts", "pool1,pool2", "--compress", "0.5", "-o", "smaller.yaml");
    const smaller = ["run", "smaller.yaml", "--teacher", "out/model.json", ...SMALL];
    const small = ["--set", "data.limit=640", "--set", "data.holdout=500"];
    const results = JSON.parse(await done(...smaller, ...small, "--json")) as { outcome: string };
    expect(results.outcome).toBe("completed");
  });

  it("teach gives a run in a folder another version of its teacher", async () => {
    const again = JSON.parse(await done(...TEACHER, "--set", "seed=2", "--json")) as { run: string };
    expect(await done("teach", run, "--here", "--teacher", again.run)).toContain("uses version 2 of its teacher");
    expect(await refused("teach", run, "--here", "--teacher", run)).toMatch(/KN_CONFIG.*layers of the previous one/);
    expect(await refused("teach", teacher, "--here", "--teacher", run)).toMatch(/KN_CONFIG.*distillation run/);
  });
});

describe("what is refused before any training", { timeout: 60_000 }, () => {
  it("no teacher, an unknown one, one that was never trained", async () => {
    expect(await refused(...STUDENT)).toMatch(/KN_CONFIG.*--teacher/);
    expect(await refused(...STUDENT, "--teacher", "nobody")).toMatch(/KN_CONFIG.*nobody/);
  });

  it("boundaries that cannot be matched: the section, both shapes and the rule", async () => {
    const cuts = (of: string, names: string) => ["--set", `${of}=[${names}]`];
    const fewer = await refused(...STUDENT, "--teacher", teacher, ...cuts("teacher.cuts", "pool1"));
    expect(fewer).toMatch(/KN_CONFIG.*section/);
    const elsewhere = await refused(...STUDENT, "--teacher", teacher, ...cuts("student.model.cuts", "relu1b, pool2"));
    expect(elsewhere).toMatch(/KN_SHAPE.*boundary 0.*last axis.*\[28, 28, 16\] and \[14, 14, 16\]/);
  });

  it("a student that is larger than its teacher", async () => {
    const text = await readFile(example("mnist-sections"), "utf8");
    await writeFile(join(folder.path, "large.yaml"), text.replace("units: 144", "units: 4000"));
    expect(await refused("run", "large.yaml", "--teacher", teacher)).toMatch(
      /KN_CONFIG.*smaller than its teacher.*6336434 and 624154/,
    );
  });

  it("classes that differ", async () => {
    const text = await readFile(example("mnist-sections"), "utf8");
    const other = text.replace("classes: 10", "classes: 9").replace("units: 10 }", "units: 9 }");
    await writeFile(join(folder.path, "nine.yaml"), other);
    expect(await refused("run", "nine.yaml", "--teacher", teacher)).toMatch(/KN_CONFIG.*classes.*9/);
  });

  it("a model file of unknown layers, or a damaged one", async () => {
    await mkdir(join(folder.path, "strange"));
    const layers = [
      { class_name: "InputLayer", config: { batch_input_shape: [null, 28, 28, 1], name: "in" } },
      { class_name: "LSTM", config: { name: "memory", units: 4 } },
    ];
    const strange = {
      modelTopology: { model_config: { class_name: "Sequential", config: { layers } } },
      weightsManifest: [],
    };
    const file = join(folder.path, "strange/model.json");
    await writeFile(file, JSON.stringify(strange));
    expect(await refused(...STUDENT, "--teacher", file)).toMatch(/KN_CONFIG.*LSTM/);
    expect(await refused("import", file)).toMatch(/KN_CONFIG.*LSTM/);
    await writeFile(file, "{");
    expect(await refused("import", file)).toMatch(/KN_CONFIG.*model\.json/);
    await cp(join(folder.path, "out"), join(folder.path, "torn"), { recursive: true });
    const weights = await readFile(join(folder.path, "torn/weights.bin"));
    await writeFile(join(folder.path, "torn/weights.bin"), weights.subarray(0, weights.length - 4));
    expect(await refused(...STUDENT, "--teacher", join(folder.path, "torn/model.json"))).toMatch(
      /KN_CONFIG.*weight logits\/bias must end before byte/,
    );
  });

  it("data that are absent: the file, the place to put it and its SHA-256", async () => {
    const said = await refused("run", example("cifar-teacher"), "--data", folder.path);
    expect(said).toMatch(/KN_CONFIG.*data_batch_1\.bin.*SHA-256 [0-9a-f]{64}.*--data or KN_DATA/);
  });

  it("a predict of what is no image", async () => {
    await writeFile(join(folder.path, "text.png"), "no image");
    expect(await refused("predict", "out", "text.png")).toMatch(/KN_CONFIG.*text\.png.*PNG/);
  });
});
