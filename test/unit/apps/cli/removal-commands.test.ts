import { access, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cacheLabels, openLearnerMemory, storedLearners } from "../../../../src/actors/learner/index.ts";
import { openFollowFolder } from "../../../../src/apps/follow/follow-folder.ts";
import type { RunRecordEntry } from "../../../../src/fleet/records.ts";
import { createRunFolder } from "../../../../src/jobs/run-folder.ts";
import { parseContinuousSpec, parseSpec } from "../../../../src/run-spec/index.ts";
import { ARTIFACT_BLOBS, openCheckpoints, scopeOfRun } from "../../../../src/runtime/artifacts/index.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock/index.ts";
import { fileStore, type Store } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { fleetOnMemory, kn, runRecord, runStatus, TINY } from "./cli-scene.ts";

const NOW = { attempt: 1, generation: 1 };
/** Of a save that was cut off: no record names it. */
const orphanOf = (run: string): string => `${scopeOfRun(run)}.orphan`;

async function saveState(store: Store, run: string): Promise<void> {
  const states = (await openCheckpoints(store, scopeOfRun(run))).statesOf("block-0", { attempt: 1, fence: 1 });
  await states.claim();
  await states.save(NOW, { metadata: {}, tensors: {} });
}

async function blobsOf(store: Store): Promise<string[]> {
  return (await (await store.blobs(ARTIFACT_BLOBS)).list()).map(({ name }) => name);
}

/** A runs folder with one run of each name, which holds a state and an orphan. */
async function folders(...names: readonly string[]) {
  const folder = await temporaryFolder();
  const runs = join(folder.path, "runs");
  const storeOf = (name: string): Promise<Store> => fileStore({ directory: join(runs, name, "store") });
  for (const name of names) {
    (await createRunFolder(runs, name, parseSpec(TINY, { file: "tiny.yaml" }))).keep();
    await using store = await storeOf(name);
    await saveState(store, name);
    await (await store.blobs(ARTIFACT_BLOBS)).put(`run.gone-${name}.orphan`, new Uint8Array(9));
  }
  return {
    runs,
    storeOf,
    blobs: async (name: string): Promise<string[]> => {
      await using store = await storeOf(name);
      return await blobsOf(store);
    },
    left: async (): Promise<string[]> => (await readdir(runs)).sort(),
    kn: (command: string, ...rest: readonly string[]) => kn([command, "--runs", runs, ...rest]),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A fleet with a run of each name, all their traces included. */
async function fleetWith(...runs: readonly (readonly [name: string, desired: RunRecordEntry["desired"]])[]) {
  const scene = await fleetOnMemory();
  const { fleet } = scene;
  for (const [name, desired] of runs) {
    await fleet.runs.put(name, runRecord(name, { desired }));
    await leaveTraces(scene, name);
  }
  return scene;
}

async function leaveTraces({ fleet }: Awaited<ReturnType<typeof fleetOnMemory>>, run: string): Promise<void> {
  await fleet.status.put(run, runStatus(run));
  await fleet.fences.put(`${run}.block-0`, new Uint8Array(1));
  await (await fleet.store.log(`history-${run}`)).append(new Uint8Array(1));
  await saveState(fleet.store, run);
}

/** What the fleet's store holds of a run, by kind. */
async function tracesOf({ fleet }: Awaited<ReturnType<typeof fleetOnMemory>>, run: string): Promise<string[]> {
  const found = await Promise.all([
    fleet.runs.kv.keys(),
    fleet.status.kv.keys(),
    fleet.fences.keys(),
    fleet.store.logs(),
    blobsOf(fleet.store),
  ]);
  return found.flatMap((names, kind) =>
    names.filter((name) => name.split(/[.-]/).includes(run)).map((name) => `${kind} ${name}`),
  );
}

const FOLLOW = "kind: continuous\nname: follow\noracle: { model: oracle }\nstudent: { model: student }\n";

/** A continuous run that has saved once, and the labels of two versions of its oracle. */
async function leaveFollow(store: Store, run: string): Promise<void> {
  const memory = await openLearnerMemory(store, run, "student");
  const nothing = { firstEvent: 0, events: [], updates: [], offer: undefined };
  await memory.save({ metadata: {}, tensors: {} }, nothing, "oracle-2");
  await (await store.log(`follow.${run}`)).append(new Uint8Array(1));
  for (const version of ["oracle-1", "oracle-2"]) {
    const compute = () => Promise.resolve(Float32Array.of(1));
    await (await cacheLabels({ version: () => Promise.resolve(version), compute }, store)).label([Uint8Array.of(1)]);
  }
}

async function addFollowFolder(runs: string, run: string): Promise<string> {
  const spec = parseContinuousSpec(FOLLOW, { file: "follow.yaml" });
  const { storePath } = await openFollowFolder(runs, run, spec);
  await using store = await fileStore({ directory: storePath });
  await leaveFollow(store, run);
  return storePath;
}

const TWO_HOURS_MS = 7_200_000;
const later: Clock = { ...systemClock(), wallTimeMs: () => Date.now() + TWO_HOURS_MS };

/** A learner as discovery finds it. */
const learnerOf = (run: string) => ({
  ...{ name: "kn-learner", version: "0.1.0", description: "", endpoints: [], stats: () => ({}) },
  metadata: { run, actor: "learner" },
});

describe("kn runs, kn rm and kn gc of continuous runs", () => {
  it("kn runs lists those of a folder with their state, kn rm removes one and refuses one that goes on", async () => {
    await using at = await folders("demo");
    const storePath = await addFollowFolder(at.runs, "follow");
    const listed = async () =>
      (JSON.parse((await at.kn("runs", "--json")).stdout) as Record<string, unknown>[]).map(
        ({ run, kind, outcome }) => [run, kind, outcome],
      );
    expect(await listed()).toEqual([
      ["demo", "training", "unfinished"],
      ["follow", "continuous", "stopped"],
    ]);
    const working = await fileStore({ directory: storePath });
    expect((await listed())[1]).toEqual(["follow", "continuous", "running"]);
    const refused = await at.kn("rm", "follow");
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.stderr).toContain(storePath);
    await working.close();
    const done = await at.kn("rm", "follow");
    expect(done).toMatchObject({ code: 0, stdout: `folder ${join(at.runs, "follow")}\nremoved 1 item of follow\n` });
    expect(await at.left()).toEqual(["demo"]);
  });

  it("kn runs lists a folder whose spec cannot be read", async () => {
    await using at = await folders();
    await addFollowFolder(at.runs, "follow");
    await writeFile(join(at.runs, "follow", "continuous.json"), "{}");
    const { stdout } = await at.kn("runs");
    expect(stdout).toMatch(/follow .*cannot be read/);
  });

  it("kn gc takes labels of a former oracle from a folder, once they are old", async () => {
    await using at = await folders();
    const storePath = await addFollowFolder(at.runs, "follow");
    expect((await at.kn("gc")).stdout).toContain("found nothing");
    const { stdout } = await kn(["gc", "--runs", at.runs], { clock: later });
    expect(stdout).toBe("labels follow/oracle-1\nremoved 1 item that no run refers to\n");
    await using store = await fileStore({ directory: storePath });
    expect(await storedLearners(store)).toHaveLength(1);
  });

  it("kn runs and kn rm of a fleet: it is listed, refused while its learner is on the bus, then removed", async () => {
    await using scene = await fleetWith(["demo", "ended"]);
    await leaveFollow(scene.fleet.store, "follow");
    const listed = async () =>
      (JSON.parse((await scene.kn(["runs", "--bus", "memory", "--json"])).stdout) as Record<string, unknown>[]).map(
        ({ run, kind, outcome }) => `${String(run)} ${String(kind)} ${String(outcome)}`,
      );
    const learner = await scene.bus.service(learnerOf("follow"));
    expect(await listed()).toEqual(["demo training feeding", "follow continuous running"]);
    const refused = await scene.kn(["rm", "follow", "--bus", "memory"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("its learner is on the bus");
    await learner.stop();
    expect(await listed()).toContain("follow continuous stopped");
    const removed = await scene.kn(["rm", "follow", "--bus", "memory"]);
    expect(removed.stdout.split("\n").slice(0, 3)).toEqual([
      "learner record follow",
      "history follow.follow",
      "blob follow.1",
    ]);
    expect(await listed()).toEqual(["demo training feeding"]);
    const collected = await scene.kn(["gc", "--bus", "memory"], { clock: later });
    expect(collected.stdout).toContain("labels oracle-1\nlabels oracle-2\n");
  });
});

describe("kn rm", () => {
  it("removes the folder of a run and no other; --dry-run names it and removes nothing", async () => {
    await using at = await folders("demo", "other");
    const dry = await at.kn("rm", "demo", "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toBe(`folder ${join(at.runs, "demo")}\nwould remove 1 item of demo\n`);
    expect(await at.left()).toEqual(["demo", "other"]);
    const done = await at.kn("rm", "demo", "--json");
    expect(JSON.parse(done.stdout)).toEqual({
      isRemoved: true,
      items: [{ kind: "folder", name: join(at.runs, "demo") }],
    });
    expect(await at.left()).toEqual(["other"]);
    expect((await at.kn("rm", "demo")).code).toBe(2);
  });

  it("refuses the folder of a run that a process works on", async () => {
    await using at = await folders("demo");
    await using _working = await at.storeOf("demo");
    for (const options of [[], ["--dry-run"]]) {
      const { code, stderr } = await at.kn("rm", "demo", ...options);
      expect(code).toBe(3);
      expect(stderr).toContain(join(at.runs, "demo", "store"));
    }
    expect(await at.left()).toEqual(["demo"]);
  });

  it("removes every trace of a fleet's run and of no other; --dry-run lists them and removes nothing", async () => {
    await using scene = await fleetWith(["demo", "ended"], ["other", "ended"]);
    const [before, others] = [await tracesOf(scene, "demo"), await tracesOf(scene, "other")];
    const dry = await scene.kn(["rm", "demo", "--bus", "memory", "--dry-run"]);
    expect(dry.code).toBe(0);
    for (const line of ["run record demo", "status demo", "fencing token demo.block-0", "history history-demo"])
      expect(dry.stdout.split("\n")).toContain(line);
    expect(dry.stdout).toMatch(/^would remove \d+ items of demo/m);
    expect(dry.stdout).not.toContain("other");
    expect(await tracesOf(scene, "demo")).toEqual(before);
    const done = await scene.kn(["rm", "demo", "--bus", "memory"]);
    expect(done.stdout).toBe(dry.stdout.replace("would remove", "removed"));
    expect(await tracesOf(scene, "demo")).toEqual([]);
    expect(await tracesOf(scene, "other")).toEqual(others);
  });

  it.each(["running", "stopping"] as const)("refuses a run of the fleet that is %s", async (desired) => {
    await using scene = await fleetWith(["demo", desired]);
    const before = await tracesOf(scene, "demo");
    for (const options of [[], ["--dry-run"]]) {
      const { code, stderr } = await scene.kn(["rm", "demo", "--bus", "memory", ...options]);
      expect(code).toBe(2);
      expect(stderr).toContain(`it is ${desired}`);
      expect(stderr).toContain("kn stop demo");
    }
    expect(await tracesOf(scene, "demo")).toEqual(before);
  });
});

describe("kn gc", () => {
  it("removes blobs that no record names from each run's folder; --dry-run lists them and removes nothing", async () => {
    await using at = await folders("demo", "other");
    const [before, state] = [await at.blobs("demo"), (await at.blobs("demo")).filter((name) => !name.includes("gone"))];
    expect(before).toHaveLength(2);
    const dry = await at.kn("gc", "--dry-run", "--json");
    expect(JSON.parse(dry.stdout)).toEqual({
      isRemoved: false,
      items: ["demo", "other"].map((run) => ({ kind: "blob", name: `${run}/run.gone-${run}.orphan`, sizeBytes: 9 })),
    });
    expect(await at.blobs("demo")).toEqual(before);
    const done = await at.kn("gc");
    expect(done.stdout).toContain("removed 2 items");
    expect([await at.blobs("demo"), await at.left()]).toEqual([state, ["demo", "other"]]);
    expect((await at.kn("gc")).stdout).toContain("found nothing");
  });

  it("passes over the folder that a process works on, with a note", async () => {
    await using at = await folders("demo", "other");
    const working = await at.storeOf("demo");
    const { code, stdout, stderr } = await at.kn("gc");
    await working.close();
    expect(code).toBe(0);
    expect(stderr).toContain("skipped");
    expect(stdout).toContain("other/run.gone-other.orphan");
    expect(await at.blobs("demo")).toHaveLength(2);
    expect(await at.blobs("other")).toHaveLength(1);
  });

  it("removes from a fleet what no run record names; --dry-run lists it and removes nothing", async () => {
    await using scene = await fleetWith(["demo", "running"], ["past", "ended"]);
    await scene.fleet.status.kv.put("gone", new Uint8Array(1));
    await scene.fleet.fences.put("gone.block-0", new Uint8Array(1));
    await (await scene.fleet.store.blobs(ARTIFACT_BLOBS)).put(orphanOf("gone"), new Uint8Array(9));
    const known = [await tracesOf(scene, "demo"), await tracesOf(scene, "past")];
    const before = await tracesOf(scene, "gone");
    expect(before).toHaveLength(3);
    const dry = await scene.kn(["gc", "--bus", "memory", "--dry-run"]);
    expect(dry.stdout.split("\n").slice(0, -2).sort()).toEqual(
      ["status gone", "fencing token gone.block-0", `blob ${orphanOf("gone")}`].sort(),
    );
    expect(await tracesOf(scene, "gone")).toEqual(before);
    expect((await scene.kn(["gc", "--bus", "memory"])).stdout).toBe(dry.stdout.replace("would remove", "removed"));
    expect(await tracesOf(scene, "gone")).toEqual([]);
    expect([await tracesOf(scene, "demo"), await tracesOf(scene, "past")]).toEqual(known);
  });

  it("removes from a fleet what an upload that was cut off left in its store; --dry-run lists it", async () => {
    await using scene = await fleetWith(["demo", "running"]);
    const leftover = join(scene.storePath, "blobs", ARTIFACT_BLOBS, ".partial-99");
    await writeFile(leftover, "half");
    const dry = await scene.kn(["gc", "--bus", "memory", "--dry-run", "--json"]);
    expect(JSON.parse(dry.stdout)).toEqual({ isRemoved: false, items: [{ kind: "upload", name: ".partial-99" }] });
    await access(leftover);
    expect((await scene.kn(["gc", "--bus", "memory"])).stdout).toContain("upload .partial-99");
    await expect(access(leftover)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await scene.kn(["gc", "--bus", "memory"])).stdout).toContain("found nothing");
  });
});
