import { describe, expect, it } from "vitest";
import {
  applyArtifactCollection,
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  openCheckpoints,
  openReleases,
  planArtifactCollection,
  planArtifactRemoval,
  scopeOfRun,
} from "../../../../src/runtime/artifacts/index.ts";
import { artifactScene, content, saveGeneration, SCOPE } from "./artifact-scene.ts";

const part = { "weights/a/kernel": { dtype: "f32" as const, shape: [1], values: Float32Array.of(1) } };

describe("planArtifactCollection", () => {
  it("finds what no record names, and nothing that a manifest, a holder or a release needs", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    const releases = await openReleases(store, SCOPE);
    await releases.publish([part]);
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    // A holder that ended before it could delete its old states, and a part whose release was never written.
    const orphan = `${SCOPE}.part.${"a".repeat(64)}`;
    await blobs.put(orphan, new Uint8Array(10));
    for (const generation of [2, 3, 4]) {
      const fresh = await openCheckpoints(store, SCOPE);
      await fresh.statesOf("block-0", { attempt: 1, fence: 1 }).save({ attempt: 1, generation }, content("x"));
    }
    const planned = await planArtifactCollection(store);
    expect(planned.blobs).toMatchObject([{ name: orphan, sizeBytes: 10 }]);
    await applyArtifactCollection(store, planned);
    expect(await blobs.info(orphan)).toBeUndefined();
    expect((await planArtifactCollection(store)).blobs).toEqual([]);
    await checkpoints.load("block-0", { attempt: 1, generation: 1 });
    await releases.load(await releases.get(1), 0);
  });

  it("leaves a run alone whose manifests it cannot read, and takes what belongs to no run", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    await (await store.kv(ARTIFACT_RECORDS)).put(`${SCOPE}.manifests`, new TextEncoder().encode("{}"));
    const gone = await openCheckpoints(store, scopeOfRun("gone"));
    await gone.statesOf("block-0", { attempt: 1, fence: 1 }).save({ attempt: 1, generation: 1 }, content("x"));
    await (await store.kv(ARTIFACT_RECORDS)).delete("run.gone.fence.block-0");
    const { blobs } = await planArtifactCollection(store);
    expect(blobs).toHaveLength(1);
    expect(blobs[0]?.name).toMatch(/^run\.gone\.block-0\./);
  });
});

describe("applyArtifactCollection", () => {
  it("leaves a part alone that is published again after the plan was made", async () => {
    const { store } = await artifactScene();
    const releases = await openReleases(store, SCOPE);
    const { release, digests } = await releases.publish([part]);
    await (await store.kv(ARTIFACT_RECORDS)).delete(`${SCOPE}.release.${release}`);
    await (await store.kv(ARTIFACT_RECORDS)).put(`${SCOPE}.fence.block-0`, new TextEncoder().encode("{}"));
    const planned = await planArtifactCollection(store);
    expect(planned.blobs.map(({ name }) => name)).toEqual([`${SCOPE}.part.${digests[0]}`]);
    const again = await releases.publish([part]);
    await applyArtifactCollection(store, planned);
    expect(await releases.load(again, 0)).toEqual(part);
  });
});

describe("planArtifactRemoval", () => {
  it("names everything of one run, and nothing of another", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    const other = await openCheckpoints(store, scopeOfRun("small-2"));
    await saveGeneration(other, 1);
    const planned = await planArtifactRemoval(store, SCOPE);
    expect(planned.blobs).toHaveLength(2);
    expect(planned.records).toEqual([`${SCOPE}.manifests`]);
    await applyArtifactCollection(store, planned);
    expect(await checkpoints.manifests()).toEqual([]);
    expect(await other.manifests()).toHaveLength(1);
    await other.load("block-0", { attempt: 1, generation: 1 });
  });
});
