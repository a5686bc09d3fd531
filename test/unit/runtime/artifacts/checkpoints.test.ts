import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseGeneration } from "../../../../src/jobs/choose-generation.ts";
import { type Checkpoints, createActorMemory, openCheckpoints } from "../../../../src/runtime/artifacts/index.ts";
import { fileStore } from "../../../../src/runtime/store/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const ACTORS = ["block-0", "gradient-0"];
const TIMELINE = 1;
const at = (generation: number, timeline = TIMELINE) => ({ timeline, generation });

async function saveGeneration(checkpoints: Checkpoints, generation: number, timeline = TIMELINE): Promise<void> {
  const digests: Record<string, string> = {};
  for (const actor of ACTORS) {
    const values = new Float32Array([generation]);
    const info = await checkpoints.save(actor, at(generation, timeline), {
      metadata: { generation: String(generation) },
      tensors: { w: { dtype: "f32", shape: [1], values } },
    });
    digests[actor] = info.digest;
  }
  await checkpoints.commit({
    timeline,
    generation,
    sequence: generation,
    step: generation,
    epoch: 0,
    phase: "training",
    actors: digests,
  });
}

async function scene(folder: string) {
  const store = await fileStore({ directory: folder, clock: simulatedClock() });
  return { store, checkpoints: await openCheckpoints(store, { blobs: "blobs", manifests: "manifests" }) };
}

describe("openCheckpoints", () => {
  it("keeps two generations, newest first, and in time forgets the states of older ones", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    for (const generation of [1, 2, 3, 4, 5]) await saveGeneration(checkpoints, generation);
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([5, 4]);
    expect((await checkpoints.load("block-0", at(4))).metadata).toEqual({ generation: "4" });
    await expect(checkpoints.load("block-0", at(1))).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await store.close();
  });

  it("a generation without its manifest does not count: a crash in the middle of saving leaves the one before", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    await saveGeneration(checkpoints, 1);
    await checkpoints.save("block-0", at(2), { metadata: {}, tensors: {} });
    expect(await chooseGeneration(checkpoints, () => undefined)).toMatchObject({ generation: 1 });
    await store.close();
  });
});

describe("openCheckpoints, states that no manifest names", () => {
  it("keeps three of an actor's own, and what a manifest names however old it is", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    await saveGeneration(checkpoints, 1);
    for (const generation of [2, 3, 4, 5])
      await checkpoints.save("block-0", at(generation), { metadata: {}, tensors: {} });
    expect(await checkpoints.saved("block-0")).toEqual([at(5), at(4), at(3), at(1)]);
    await store.close();
  });
});

describe("createActorMemory", () => {
  const content = (word: string) => ({ metadata: { word }, tensors: {} });
  const memoryOf = (checkpoints: Checkpoints, timeline: number, from?: { timeline: number; generation: number }) =>
    createActorMemory({ actor: "block-0", timeline, from }, { checkpoints, log: silentLogger });

  it("begins with what its timeline began with, then comes back from its own newest state", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    await checkpoints.save("block-0", at(100), content("before"));
    await checkpoints.save("block-0", at(200), content("abandoned"));
    const memory = memoryOf(checkpoints, 2, at(100));
    expect((await memory.restore())?.metadata).toEqual({ word: "before" });
    await memory.save(150, content("own"));
    expect((await memoryOf(checkpoints, 2, at(100)).restore())?.metadata).toEqual({ word: "own" });
    await store.close();
  });

  it("passes over a damaged state of its own", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    const memory = memoryOf(checkpoints, 1);
    expect(await memory.restore()).toBeUndefined();
    await memory.save(1, content("one"));
    await memory.save(2, content("two"));
    await writeFile(join(folder.path, "blobs", "blobs", "block-0.1-2"), "torn");
    expect((await memory.restore())?.metadata).toEqual({ word: "one" });
    await store.close();
  });
});

describe("chooseGeneration", () => {
  it("passes over a damaged generation, says so, and takes the one before", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    for (const generation of [1, 2]) await saveGeneration(checkpoints, generation);
    const path = join(folder.path, "blobs", "blobs", "block-0.1-2");
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(path, bytes);
    const damaged: number[] = [];
    expect(await chooseGeneration(checkpoints, ({ generation }) => damaged.push(generation))).toMatchObject({
      generation: 1,
    });
    expect(damaged).toEqual([2]);
    await store.close();
  });

  it("has nothing to say of a run without checkpoints, and refuses one where all are damaged", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    expect(await chooseGeneration(checkpoints, () => undefined)).toBeUndefined();
    await saveGeneration(checkpoints, 1);
    await writeFile(join(folder.path, "blobs", "blobs", "gradient-0.1-1"), "nothing of the kind");
    await expect(chooseGeneration(checkpoints, () => undefined)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await store.close();
  });
});
