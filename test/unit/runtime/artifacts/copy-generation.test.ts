import { describe, expect, it } from "vitest";
import { ARTIFACT_BLOBS, copyGeneration, openCheckpoints } from "../../../../src/runtime/artifacts/index.ts";
import { artifactScene, saveGeneration, SCOPE } from "./artifact-scene.ts";

describe("copyGeneration", () => {
  it("copies a generation under the same names; its states load from the other store", async () => {
    const [from, to] = [await artifactScene(), await artifactScene()];
    const manifest = await saveGeneration(from.checkpoints, 3);
    await copyGeneration(manifest, SCOPE, { from: from.store, to: to.store });
    expect(await to.checkpoints.manifests()).toEqual([manifest]);
    expect(await to.checkpoints.load("gradient-0", manifest)).toEqual(
      await from.checkpoints.load("gradient-0", manifest),
    );
  });

  it("refuses a generation that lacks a state, and leaves the other store as it was", async () => {
    const [from, to] = [await artifactScene(), await artifactScene()];
    const manifest = await saveGeneration(from.checkpoints, 3);
    const blobs = await from.store.blobs(ARTIFACT_BLOBS);
    for (const { name } of await blobs.list(`${SCOPE}.gradient-0.`)) await blobs.delete(name);
    await expect(copyGeneration(manifest, SCOPE, { from: from.store, to: to.store })).rejects.toThrow(
      /KN_CHECKPOINT.*gradient-0/,
    );
    expect(await (await openCheckpoints(to.store, SCOPE)).manifests()).toEqual([]);
  });
});
