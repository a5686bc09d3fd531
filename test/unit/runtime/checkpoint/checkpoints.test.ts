import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseGeneration } from "../../../../src/apps/run/choose-generation.ts";
import { type Checkpoints, openCheckpoints } from "../../../../src/runtime/checkpoint/index.ts";
import { fileStore } from "../../../../src/runtime/store/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const ACTORS = ["block-0", "feeder"];

async function saveGeneration(checkpoints: Checkpoints, generation: number): Promise<void> {
  const digests: Record<string, string> = {};
  for (const actor of ACTORS) {
    const values = new Float32Array([generation]);
    const info = await checkpoints.save(actor, generation, {
      metadata: { generation: String(generation) },
      tensors: { w: { dtype: "f32", shape: [1], values } },
    });
    digests[actor] = info.digest;
  }
  await checkpoints.commit({ generation, sequence: generation, step: generation, epoch: 0, actors: digests });
}

async function scene(folder: string) {
  const store = await fileStore({ directory: folder, clock: simulatedClock() });
  return { store, checkpoints: await openCheckpoints(store, { blobs: "blobs", manifests: "manifests" }) };
}

describe("openCheckpoints", () => {
  it("keeps two generations, newest first, and forgets the blobs of older ones", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    for (const generation of [1, 2, 3]) await saveGeneration(checkpoints, generation);
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([3, 2]);
    expect((await checkpoints.load("block-0", 2)).metadata).toEqual({ generation: "2" });
    await expect(checkpoints.load("block-0", 1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await store.close();
  });

  it("a generation without its manifest does not count: a crash in the middle of saving leaves the one before", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    await saveGeneration(checkpoints, 1);
    await checkpoints.save("block-0", 2, { metadata: {}, tensors: {} });
    expect(await chooseGeneration(checkpoints, () => undefined)).toMatchObject({ generation: 1 });
    await store.close();
  });
});

describe("chooseGeneration", () => {
  it("passes over a damaged generation, says so, and takes the one before", async () => {
    await using folder = await temporaryFolder();
    const { store, checkpoints } = await scene(folder.path);
    for (const generation of [1, 2]) await saveGeneration(checkpoints, generation);
    const path = join(folder.path, "blobs", "blobs", "block-0.2");
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
    await writeFile(join(folder.path, "blobs", "blobs", "feeder.1"), "nothing of the kind");
    await expect(chooseGeneration(checkpoints, () => undefined)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await store.close();
  });
});
