import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkTrainedSpec,
  createRunFolder,
  findRunFolder,
  listRunFolders,
  openRunFolder,
  type RunFolder,
} from "../../../src/jobs/run-folder.ts";
import { parseSpec, type RunSpec } from "../../../src/run-spec/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const TEXT = `
kind: training
name: tiny
data: { dataset: mnist }
model:
  input: [28, 28, 1]
  classes: 10
  layers:
    - { name: flat, type: flatten }
    - { name: d1, type: dense, units: 10 }
  cuts: [flat]
`;

const specWith = (...set: string[]): RunSpec => parseSpec(TEXT, { file: "tiny.yaml", set });

async function kept(runs: string, name = "demo", spec = specWith()): Promise<RunFolder> {
  const folder = await createRunFolder(runs, name, spec);
  folder.keep();
  return folder;
}

describe("createRunFolder", () => {
  it("removes what it created unless the folder is kept", async () => {
    await using scratch = await temporaryFolder();
    const runs = join(scratch.path, "runs");
    {
      await using folder = await createRunFolder(runs, "demo", specWith());
      await writeFile(folder.logPath, "a line");
      await mkdir(folder.storePath);
    }
    expect(await readdir(scratch.path)).toEqual([]);
    {
      await using _folder = await kept(runs);
    }
    expect(await readdir(runs)).toEqual(["demo"]);
  });

  it("leaves the files of others alone", async () => {
    await using scratch = await temporaryFolder();
    await mkdir(join(scratch.path, "demo"));
    await writeFile(join(scratch.path, "demo", "notes.txt"), "mine");
    {
      await using _folder = await createRunFolder(scratch.path, "demo", specWith());
    }
    expect(await readdir(join(scratch.path, "demo"))).toEqual(["notes.txt"]);
  });

  it("refuses the name of a run that is there with KN_CONFIG and the way to continue it", async () => {
    await using scratch = await temporaryFolder();
    await kept(scratch.path);
    const refusal = createRunFolder(scratch.path, "demo", specWith());
    await expect(refusal).rejects.toMatchObject({ code: "KN_CONFIG", remedy: expect.stringContaining("resume demo") });
    expect(existsSync(join(scratch.path, "demo", "spec.json"))).toBe(true);
  });

  it("opens a run of the same spec where that is allowed, and never removes it", async () => {
    await using scratch = await temporaryFolder();
    await kept(scratch.path);
    {
      await using _again = await createRunFolder(scratch.path, "demo", specWith(), { mayBeThere: true });
    }
    expect(existsSync(join(scratch.path, "demo", "spec.json"))).toBe(true);
    const other = createRunFolder(scratch.path, "demo", specWith("seed=9"), { mayBeThere: true });
    await expect(other).rejects.toMatchObject({ code: "KN_CONFIG", value: "one with another spec exists" });
  });

  it("refuses a place that cannot be written with KN_UNAVAILABLE", async () => {
    await using scratch = await temporaryFolder();
    await writeFile(join(scratch.path, "runs"), "a file");
    const refusal = createRunFolder(join(scratch.path, "runs"), "demo", specWith());
    await expect(refusal).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });
});

describe("openRunFolder", () => {
  it("finds a run by name and by path, and names the runs that there are otherwise", async () => {
    await using scratch = await temporaryFolder();
    const { path } = await kept(scratch.path);
    expect(await openRunFolder(scratch.path, "demo")).toMatchObject({ name: "demo", path });
    expect(await openRunFolder("/nowhere", path)).toMatchObject({ name: "demo", spec: { name: "tiny" } });
    expect(await findRunFolder(scratch.path, "absent")).toBeUndefined();
    await expect(openRunFolder(scratch.path, "absent")).rejects.toMatchObject({ code: "KN_CONFIG", value: "demo" });
  });
});

describe("listRunFolders", () => {
  it("lists runs and those that cannot be read, and leaves other folders out", async () => {
    await using scratch = await temporaryFolder();
    await kept(scratch.path, "good");
    const { path } = await kept(scratch.path, "newer");
    await writeFile(join(path, "spec.json"), JSON.stringify({ ...specWith(), invention: 1 }));
    await mkdir(join(scratch.path, "other"));
    const found = await listRunFolders(scratch.path);
    expect(found.map(({ folder }) => [folder.name, "reason" in folder])).toEqual(
      expect.arrayContaining([
        ["good", false],
        ["newer", true],
      ]),
    );
    expect(found).toHaveLength(2);
  });
});

describe("checkTrainedSpec", () => {
  const edited = async (runs: string, ...set: string[]): Promise<RunFolder> => {
    const { path } = await kept(runs);
    await writeFile(join(path, "spec.json"), JSON.stringify(specWith(...set)));
    return openRunFolder(runs, "demo");
  };

  it.each([
    ["training.batchSize=32", "training.batchSize is 32, it was 128"],
    ["data.limit=6400", "data.limit is 6400, it was absent"],
    ["seed=2", "seed is 2, it was 1"],
    ["model.layers.1.units=12", "model.layers.1.units is 12, it was 10"],
    ["evaluation.everySteps=7", "evaluation.everySteps is 7, it was absent"],
  ])("refuses a run whose spec was edited: %s", async (set, value) => {
    await using scratch = await temporaryFolder();
    await expect(checkTrainedSpec(await edited(scratch.path, set))).rejects.toMatchObject({ code: "KN_CONFIG", value });
  });

  it.each(["training.epochs=3", "checkpoint.everySteps=9", "flow.window=8", "name=other", "placement.block-0=a"])(
    "admits what no checkpoint depends on: %s",
    async (set) => {
      await using scratch = await temporaryFolder();
      await checkTrainedSpec(await edited(scratch.path, set));
    },
  );

  it("admits a folder of an earlier version, which has no record of it", async () => {
    await using scratch = await temporaryFolder();
    const folder = await kept(scratch.path);
    const record = join(folder.path, "trained-spec.json");
    expect(JSON.parse(await readFile(record, "utf8"))).toMatchObject({ seed: 1 });
    await writeFile(record, "{");
    await expect(checkTrainedSpec(folder)).rejects.toMatchObject({ code: "KN_CONFIG" });
    await rm(record);
    await checkTrainedSpec(folder);
  });
});
