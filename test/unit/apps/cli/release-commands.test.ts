/** `kn publish`, `models`, `releases`, `promote`, `rollback`, `live`, `pin`, `keys` and `gc`, from a folder and a fleet. */
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folderModels } from "../../../../src/apps/models/index.ts";
import type { NamedTensorData } from "../../../../src/compute/index.ts";
import { type ModelStore, modelsInStore, openModel } from "../../../../src/models/index.ts";
import { parseSpec } from "../../../../src/run-spec/index.ts";
import { ARTIFACT_BLOBS } from "../../../../src/runtime/artifacts/index.ts";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { type SavedGeneration, saveGenerations, writeRun } from "../../jobs/write-run.ts";
import { BY } from "../../models/model-scene.ts";
import { type CliOptions, fleetOnMemory, kn, runRecord, runStatus, TINY } from "./cli-scene.ts";

const clock = systemClock();
const SPEC = parseSpec(TINY, { file: "tiny.yaml" });

const filled = (shape: number[], value: number): NamedTensorData[string] => ({
  dtype: "f32",
  shape,
  values: new Float32Array(shape.reduce((a, b) => a * b)).fill(value),
});

/** A committed generation of the tiny net; all weights are `value`. */
const saved = (generation: number, value: number = generation): SavedGeneration => ({
  generation,
  phase: "training",
  states: {
    "block-0": { "weights/d1/kernel": filled([784, 16], value), "weights/d1/bias": filled([16], value) },
    "block-1": { "weights/d2/kernel": filled([16, 10], value), "weights/d2/bias": filled([10], value) },
  },
  metadata: {
    "block-0": { version: String(generation - 1), skipped: '{"refused":1}' },
    "block-1": {
      version: String(generation),
      skipped: "{}",
      evaluation: JSON.stringify({ evaluation: 1, correct: 3, samples: 4, lossSum: 1, through: 2 }),
    },
  },
});

/** A runs folder with the run `demo` at the steps 5 and 10, and a place for models. */
async function scene(env: NodeJS.ProcessEnv = {}) {
  const folder = await temporaryFolder();
  const at = (...parts: string[]): string => join(folder.path, ...parts);
  await writeRun(at("runs"), "demo", SPEC, [saved(5), saved(10)]);
  const run = (...argv: string[]) => kn(argv, { env });
  return {
    at,
    publish: (...rest: string[]) => run("publish", "demo", "--runs", at("runs"), "--models", at("models"), ...rest),
    /** A command on a model in the folder. */
    on: (command: string, ...rest: string[]) => run(command, ...rest, "--models", at("models")),
    kn: run,
    model: (name = "tiny") => openModel(folderModels({ directory: at("models") }, { clock }), name, { clock }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe("kn publish", () => {
  it("publishes the newest checkpoint under the spec's name, makes nothing live, and says what to do next", async () => {
    await using at = await scene();
    const { code, stdout, stderr } = await at.publish();
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^release 1 of tiny: demo at step 10 \(training\)$/m);
    expect(stdout).toMatch(/^2 blocks, .*accuracy 75.00 %; signature none; in file:.*models$/m);
    expect(stdout).toMatch(/^nothing is live yet; .*kn promote tiny 1 --models .*models$/m);
    const model = at.model();
    const release = await model.release(1);
    expect(release.manifest.origin).toMatchObject({
      ...{ run: "demo", kind: "training", generation: 10, phase: "training", softwareVersion: "0.1.0" },
      blocks: [
        { actor: "block-0", applied: 9, skipped: 1 },
        { actor: "block-1", applied: 10, skipped: 0 },
      ],
    });
    expect(await model.loadPart(release, 1)).toEqual(saved(10).states["block-1"]);
    expect((await model.live()).live).toBeUndefined();
  });

  it("takes --model, --generation, --pin and --json", async () => {
    await using at = await scene();
    const { code, stdout } = await at.publish("--model", "digits", "--generation", "5", "--pin", "--json");
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({
      ...{ model: "digits", release: 1, live: null, isPinned: true, signature: { kind: "unsigned" } },
      manifest: { model: "digits", origin: { generation: 5 }, classNames: { length: 10 }, image: { height: 28 } },
    });
    expect(await at.model("digits").loadPart(await at.model("digits").release(1), 0)).toEqual(
      saved(5).states["block-0"],
    );
  });

  it("publishes a run that goes on: its folder stays with the process that trains, which notices nothing", async () => {
    await using at = await scene();
    await using training = await fileStore({ directory: at.at("runs", "demo", "store") });
    expect((await at.publish()).stdout).toContain("demo at step 10");
    await saveGenerations(training, "demo", [saved(15)]);
    expect((await at.publish()).stdout).toContain("release 2 of tiny: demo at step 15");
  });

  it("refuses a run without a checkpoint with exit code 4, and leaves its folder as it is", async () => {
    await using at = await scene();
    await writeRun(at.at("runs"), "fresh", SPEC, []);
    await rm(at.at("runs", "fresh", "store"), { recursive: true });
    const { code, stderr } = await at.kn("publish", "fresh", "--runs", at.at("runs"), "--models", at.at("models"));
    expect([code, stderr]).toEqual([4, expect.stringMatching(/KN_CHECKPOINT.*whole network.*none.*kn resume fresh/)]);
    await expect(stat(at.at("runs", "fresh", "store"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("--keep deletes what is beyond the newest and what nothing needs", async () => {
    await using at = await scene();
    for (let count = 0; count < 3; count += 1) await at.publish();
    await at.on("promote", "tiny", "1");
    expect((await at.publish("--keep", "2")).stdout).toContain("release 1 is live; make this one live");
    expect((await at.model().releases()).map(({ release }) => release)).toEqual([4, 3, 1]);
  });

  it.each([
    ["an unknown run", ["nobody"], [], 2, /KN_CONFIG: Cannot open run nobody.*demo/],
    ["an unknown generation", ["demo"], ["--generation", "7"], 2, /KN_CONFIG.*generation 7.*it has 10 \(training\), 5/],
    ["a name that is no token", ["demo"], ["--model", "a/b"], 2, /KN_CONFIG: Cannot name a model/],
    ["a key that is not there", ["demo"], ["--key", "no-key"], 2, /KN_CONFIG: Cannot read the key no-key.*kn keys new/],
    ["a step that is no number", ["demo"], ["--generation", "x"], 2, /must be a whole number/],
  ])("refuses %s and makes no folder of models", async (_, run, options, expected, message) => {
    await using at = await scene();
    const argv = ["publish", ...run, "--runs", at.at("runs"), "--models", at.at("models"), ...options];
    const { code, stdout, stderr } = await at.kn(...argv);
    expect([code, stdout]).toEqual([expected, ""]);
    expect(stderr).toMatch(message);
    await expect(stat(at.at("models"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("refuses a run that has diverged with exit code 4: the weight, its value, and what to do", async () => {
    await using at = await scene();
    await writeRun(at.at("runs"), "demo", SPEC, [saved(15, NaN)]);
    const { code, stderr } = await at.publish();
    expect(code).toBe(4);
    expect(stderr).toMatch(/KN_CHECKPOINT.*finite.*weights\/d1\/kernel\[0\] is NaN.*an earlier generation/);
    expect((await at.publish("--generation", "10")).code).toBe(0);
  });
});

describe("kn publish --bus", () => {
  it("publishes a run of the fleet that goes on into the fleet's store, with the step of its evaluation", async () => {
    await using scene = await fleetOnMemory();
    const { store, runs, status } = scene.fleet;
    await runs.put("demo", runRecord("demo"));
    await saveGenerations(store, "demo", [saved(5), saved(10)]);
    const evaluations = [{ evaluation: 1, step: 8, samples: 4, accuracy: 0.75, loss: 1, atMs: 1 }];
    await status.put("demo", runStatus("demo", { record: { ...runStatus("demo").record, evaluations } }));
    const { code, stdout } = await scene.kn(["publish", "demo", "--bus", "memory"]);
    expect(code).toBe(0);
    expect(stdout).toContain("kn promote tiny 1 --bus memory");
    const model = openModel(modelsInStore(store), "tiny", { clock });
    expect((await model.release(1)).manifest.evaluation).toEqual({ accuracy: 0.75, samples: 4, step: 8 });
    await saveGenerations(store, "demo", [saved(15)]);
    await scene.kn(["publish", "demo", "--bus", "memory"]);
    expect((await scene.kn(["promote", "tiny", "--bus", "memory"])).stdout).toContain("release 2 of tiny is live");
    const listed = await scene.kn(["models", "--bus", "memory", "--json"]);
    expect(JSON.parse(listed.stdout)).toMatchObject([{ model: "tiny", releases: 2, live: 2 }]);
    expect((await scene.kn(["publish", "nobody", "--bus", "memory"])).stderr).toMatch(/KN_CONFIG.*find nobody/);
  });

  it("--runs publishes a run of a folder to the fleet, --models one of the fleet to a folder", async () => {
    await using scene_ = await scene();
    await using fleet = await fleetOnMemory();
    const local = await fleet.kn(["publish", "demo", "--runs", scene_.at("runs"), "--bus", "memory"]);
    expect(local).toMatchObject({ code: 0 });
    await fleet.fleet.runs.put("far", runRecord("far"));
    await saveGenerations(fleet.fleet.store, "far", [saved(5)]);
    const remote = await fleet.kn(["publish", "far", "--bus", "memory", "--models", scene_.at("models")]);
    expect(remote.stdout).toMatch(/release 1 of tiny: far at step 5/);
    expect((await scene_.model().releases()).map(({ manifest }) => manifest.origin.run)).toEqual(["far"]);
    expect((await fleet.kn(["models", "--bus"], { env: { KN_BUS: "memory" } })).stdout).toMatch(/tiny.*1/);
  });
});

describe("kn promote, rollback, live", () => {
  it("promotes the newest, returns to the one before, and tells what was live when", async () => {
    await using at = await scene({ USER: "alice" });
    await at.publish("--generation", "5");
    await at.publish();
    expect((await at.on("live", "tiny")).stdout).toMatch(/^nothing of tiny is live; kn promote tiny/);
    expect((await at.on("rollback", "tiny")).stderr).toMatch(/KN_CONFIG.*nothing is live/);
    expect((await at.on("promote", "tiny", "1")).stdout).toBe("release 1 of tiny is live\n");
    expect((await at.on("promote", "tiny", "1")).stdout).toContain("nothing to change: release 1 of tiny is live");
    const between = new Date().toISOString();
    const promoted = await at.on("promote", "tiny", "--reason", "better");
    expect(promoted.stdout).toMatch(/^release 2 of tiny is live\nreturn to release 1: kn rollback tiny --models/);
    const live = await at.on("live", "tiny");
    expect(live.stdout).toMatch(/release 2 of tiny is live since .*Z\na rollback returns to release 1\n/);
    expect(live.stdout).toMatch(/release 2 promoted, before it 1 \(kn promote, alice@.*: better\)/);
    expect((await at.on("live", "tiny", "--at", between)).stdout).toMatch(/^release 1 of tiny was live at/);
    expect((await at.on("live", "tiny", "--at", "2020-01-01")).stdout).toMatch(/^nothing of tiny was live at 2020/);
    expect((await at.on("rollback", "tiny")).stdout).toContain("release 1 of tiny is live");
    expect((await at.on("rollback", "tiny", "2", "--json")).stdout).toContain('"live": 2');
    expect(json((await at.on("live", "tiny", "--json", "--last", "2")).stdout)).toMatchObject({
      ...{ model: "tiny", live: 2, previous: 1, change: 4, candidate: null },
      changes: [{ kind: "rolled-back" }, { kind: "rolled-back", from: 1, to: 2 }],
    });
  });

  it("--canary and --shadow make a candidate beside the live one, `kn rollback --candidate` ends it", async () => {
    await using at = await scene();
    for (let count = 0; count < 2; count += 1) await at.publish();
    expect((await at.on("promote", "tiny", "--canary", "5")).stderr).toMatch(/KN_CONFIG.*must be live beside it/);
    await at.on("promote", "tiny", "1");
    const canary = await at.on("promote", "tiny", "--canary", "5");
    expect(canary.stdout).toMatch(/release 2 of tiny answers 5 % of the requests; release 1 is live/);
    expect(canary.stdout).toMatch(/end it: kn rollback tiny --candidate/);
    expect((await at.on("promote", "tiny", "2", "--shadow", "50")).stdout).toMatch(/a copy of 50 % of the requests/);
    expect((await at.on("models")).stdout).toMatch(/tiny.*2: shadow 50 %/);
    expect((await at.on("releases", "tiny")).stdout).toMatch(/2 .*shadow 50 %.*\n.*\n.*1 .*live/);
    expect((await at.on("live", "tiny")).stdout).toMatch(/release 2 is a candidate: shadow of 50 %/);
    expect((await at.on("rollback", "tiny", "1", "--candidate")).stderr).toMatch(/release 1 must be the candidate/);
    const ended = await at.on("rollback", "tiny", "--candidate");
    expect(ended.stdout).toBe("release 2 of tiny is no candidate any more; release 1 is live\n");
    expect((await at.on("rollback", "tiny", "--candidate")).stderr).toMatch(/KN_CONFIG.*current value is none/);
    for (const share of ["0", "101", "x"])
      expect((await at.on("promote", "tiny", "--canary", share)).stderr).toMatch(/must be a percentage/);
    const both = await at.on("promote", "tiny", "--canary", "5", "--shadow", "5");
    expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/cannot be used with/)]);
  });

  it("refuses what it does not know: a model, a release, a number, a time, without making a folder", async () => {
    await using at = await scene();
    for (const command of [["promote"], ["rollback"], ["live"], ["releases"], ["pin"]]) {
      const [name = ""] = command;
      const { code, stderr } = await at.on(name, "tiny", ...(name === "pin" ? ["1"] : []));
      expect([code, stderr]).toEqual([2, expect.stringMatching(/KN_CONFIG.*folder of models.*kn publish/)]);
    }
    expect((await at.on("models")).stdout).toMatch(/^no models in .*models; publish one with: kn publish RUN/);
    await expect(stat(at.at("models"))).rejects.toMatchObject({ code: "ENOENT" });
    await at.publish();
    for (const command of ["promote", "rollback", "live", "releases"]) {
      const { code, stderr } = await at.on(command, "other");
      expect([code, stderr]).toEqual([2, expect.stringMatching(/KN_CONFIG.*other.*current value is tiny/)]);
    }
    expect((await at.on("promote", "tiny", "9")).stderr).toMatch(/KN_CONFIG.*it has 1; kn releases tiny/);
    expect((await at.on("pin", "tiny", "9")).stderr).toMatch(/KN_CONFIG.*it has 1/);
    for (const number of ["0", "-1", "1.5", "x"]) expect((await at.on("promote", "tiny", number)).code).toBe(2);
    expect((await at.on("live", "tiny", "--at", "yesterday")).stderr).toMatch(/must be a date and a time/);
  });

  it("refuses a torn release with exit code 4, and the live one stays", async () => {
    await using at = await scene();
    await at.publish("--generation", "5");
    await at.on("promote", "tiny");
    await at.publish();
    const { digests } = await at.model().release(2);
    {
      await using store = await fileStore({ directory: at.at("models") });
      await (await store.blobs(ARTIFACT_BLOBS)).delete(`model.tiny.part.${digests[1]}`);
    }
    const { code, stderr } = await at.on("promote", "tiny");
    expect([code, stderr]).toEqual([4, expect.stringMatching(/KN_CHECKPOINT.*release 2.*publish it again/)]);
    expect((await at.on("live", "tiny")).stdout).toMatch(/release 1 of tiny is live/);
  });

  it("waits for another process that has the folder open", async () => {
    await using at = await scene();
    await at.publish();
    const holder = await fileStore({ directory: at.at("models") });
    const promoting = at.on("promote", "tiny");
    await clock.sleep(100);
    await holder.close();
    expect(await promoting).toMatchObject({ code: 0 });
  });
});

describe("kn keys new, --key, --trust", () => {
  it("signs what is published; where keys are trusted, nothing else is promoted", async () => {
    await using at = await scene();
    const key = at.at("key");
    const made = await at.kn("keys", "new", key);
    expect(made.stdout).toMatch(/^key [0-9a-f]{16}: .*key \(private\), .*key.pub \(public\)$/m);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    expect(await readFile(`${key}.pub`, "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    const again = await at.kn("keys", "new", key);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/must be a new file/)]);
    await at.kn("keys", "new", at.at("other"));

    expect((await at.publish("--key", key)).stdout).toMatch(/signature signed, [0-9a-f]{16}/);
    await at.publish();
    expect((await at.on("promote", "tiny", "1", "--trust", `${key}.pub`)).code).toBe(0);
    const unsigned = await at.on("promote", "tiny", "2", "--trust", `${key}.pub`);
    expect([unsigned.code, unsigned.stderr]).toEqual([4, expect.stringMatching(/KN_CHECKPOINT.*is unsigned.*--key/)]);
    const env: CliOptions["env"] = { KN_TRUSTED_KEYS: `${at.at("other")}.pub` };
    const other = await kn(["promote", "tiny", "1", "--models", at.at("models")], { env });
    expect([other.code, other.stderr]).toEqual([4, expect.stringMatching(/signed by a key that is trusted/)]);
    const both = { KN_TRUSTED_KEYS: `${at.at("other")}.pub:${key}.pub` };
    const listed = await kn(["releases", "tiny", "--models", at.at("models")], { env: both });
    expect(listed.stdout).toMatch(/refused: unsigned/);
    expect(listed.stdout).toMatch(/trusted, [0-9a-f]{16}/);
    expect((await at.on("promote", "tiny", "--trust", key)).stderr).toMatch(/KN_CONFIG.*must be a public one/);
    expect((await at.on("live", "tiny")).stdout).toMatch(/release 1 of tiny is live/);
  });
});

describe("kn pin, kn releases --json, kn gc", () => {
  it("a pinned release outlives retention until it is unpinned", async () => {
    await using at = await scene();
    await at.publish();
    expect((await at.on("pin", "tiny", "1")).stdout).toBe("release 1 of tiny is pinned\n");
    for (let count = 0; count < 2; count += 1) await at.publish("--keep", "1");
    const listed = JSON.parse((await at.on("releases", "tiny", "--json")).stdout) as { release: number }[];
    expect(listed).toMatchObject([
      { release: 3, isPinned: false },
      { release: 1, isPinned: true, manifest: { origin: { run: "demo" } } },
    ]);
    expect((await at.on("pin", "tiny", "1", "--off")).stdout).toBe("release 1 of tiny is not pinned\n");
    await at.publish("--keep", "1");
    expect((await at.model().releases()).map(({ release }) => release)).toEqual([4]);
  });

  /** A part of no release, and one that every release needs. */
  const litter = (models: ModelStore) =>
    models.use(async (store) => {
      const blobs = await store.blobs(ARTIFACT_BLOBS);
      await blobs.put(`model.tiny.part.${"0".repeat(64)}`, new Uint8Array(9));
    });

  it("collects from the folder what no release names, and leaves every release", async () => {
    await using at = await scene();
    await at.publish("--generation", "5");
    await at.publish();
    await at.on("promote", "tiny", "1");
    await using models = folderModels({ directory: at.at("models") }, { clock });
    await litter(models);
    const argv = ["gc", "--runs", at.at("runs"), "--models", at.at("models")];
    const dry = await at.kn(...argv, "--dry-run");
    expect(dry.stdout).toMatch(/^blob model\.tiny\.part\.0{64}\nwould remove 1 item/);
    expect((await at.kn(...argv)).stdout).toMatch(/removed 1 item/);
    expect((await at.kn(...argv)).stdout).toContain("found nothing");
    const model = at.model();
    for (const release of await model.releases()) for (const block of [0, 1]) await model.loadPart(release, block);
  });

  it("collects the same from a fleet's store, beside its runs", async () => {
    await using scene_ = await scene();
    await using fleet = await fleetOnMemory();
    const models = modelsInStore(fleet.fleet.store);
    await fleet.kn(["publish", "demo", "--runs", scene_.at("runs"), "--bus", "memory"]);
    const model = openModel(models, "tiny", { clock });
    await model.promote(1, BY);
    await litter(models);
    const done = await fleet.kn(["gc", "--bus", "memory"]);
    expect(done.stdout).toMatch(/^blob model\.tiny\.part\.0{64}\nremoved 1 item/);
    expect((await fleet.kn(["gc", "--bus", "memory"])).stdout).toContain("found nothing");
    const release = await model.release(1);
    for (const block of [0, 1]) await model.loadPart(release, block);
    expect(await model.history()).toHaveLength(1);
  });
});

describe("kn unpublish", () => {
  it("removes nothing without --yes, and says with what", async () => {
    await using at = await scene();
    await at.publish();
    await at.publish();
    const { code, stderr } = await at.on("unpublish", "tiny");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/--yes: current value is it has 2 releases.*kn unpublish tiny --yes --models/),
    ]);
    expect(await at.model().releases()).toHaveLength(2);
  });

  it("refuses a model that is live, removes it with --force; the history stays, and gc finds nothing more", async () => {
    await using at = await scene();
    await at.publish();
    await at.on("promote", "tiny");
    await at.publish();
    const refused = await at.on("unpublish", "tiny", "--yes");
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/release 1 is live|release 1 is;.*--force/),
    ]);
    const removed = await at.on("unpublish", "tiny", "--yes", "--force", "--reason", "a trial", "--json");
    expect(json(removed.stdout)).toEqual({ model: "tiny", removed: [1, 2] });
    expect((await at.on("models")).stdout).toContain("no models in");
    expect((await at.model().history()).at(-1)).toMatchObject({ kind: "removed", from: 1, reason: "a trial" });
    expect((await at.on("gc", "--runs", at.at("runs"))).stdout).toContain("nothing");
    expect((await at.publish()).stdout).toContain("release 3 of tiny");
  });

  it("names the models that there are when there is no such one", async () => {
    await using at = await scene();
    await at.publish();
    const { code, stderr } = await at.on("unpublish", "other", "--yes");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/KN_CONFIG.*tiny/)]);
  });
});
