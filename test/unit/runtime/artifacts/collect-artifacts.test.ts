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
import { failAlways } from "../../../support/failing-store.ts";
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
    const planned = await planArtifactCollection(store, 0);
    expect(planned.blobs).toMatchObject([{ name: orphan, sizeBytes: 10 }]);
    await applyArtifactCollection(store, planned);
    expect(await blobs.info(orphan)).toBeUndefined();
    expect((await planArtifactCollection(store, 0)).blobs).toEqual([]);
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
    const { blobs } = await planArtifactCollection(store, 0);
    expect(blobs).toHaveLength(1);
    expect(blobs[0]?.name).toMatch(/^run\.gone\.block-0\./);
  });
});

describe("planArtifactCollection, while a release is published", () => {
  it("leaves its parts alone: they are named before they are written", async () => {
    const { store, faults } = await artifactScene();
    const releases = await openReleases(store, SCOPE);
    faults.now = failAlways({ kind: "kv", operation: "create" });
    await expect(releases.publish([part])).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    faults.now = undefined;
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(1);
    expect((await planArtifactCollection(store, 0)).blobs).toEqual([]);
    await releases.publish([part]);
    expect(await (await store.kv(ARTIFACT_RECORDS)).keys()).toEqual([`${SCOPE}.release.1`]);
  });
});

describe("planArtifactCollection, of a publication whose process has ended", () => {
  it("takes its name and its parts once it is old, and nothing that a release needs", async () => {
    const { store, faults, clock } = await artifactScene();
    const other = { "weights/a/kernel": { ...part["weights/a/kernel"], values: Float32Array.of(2) } };
    faults.now = failAlways({ kind: "kv", operation: "create" });
    await expect((await openReleases(store, SCOPE)).publish([part, other])).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
    });
    faults.now = undefined;
    const again = await openReleases(store, SCOPE);
    const { release } = await again.publish([part]);
    const began = clock.wallTimeMs();
    expect(await planArtifactCollection(store, began)).toEqual({ blobs: [], records: [] });
    await clock.advance(1);
    const planned = await planArtifactCollection(store, began + 1);
    expect(planned).toMatchObject({ blobs: [{}], records: [expect.stringMatching(`${SCOPE}.publishing.`)] });
    await applyArtifactCollection(store, planned);
    expect(await (await store.kv(ARTIFACT_RECORDS)).keys()).toEqual([`${SCOPE}.release.${release}`]);
    expect(await again.load(await again.get(release), 0)).toEqual(part);
  });
});

describe("planArtifactCollection, of states that a holder left behind", () => {
  it("takes those that retention lets go, of each actor, and leaves blobs of no scope alone", async () => {
    const { store, checkpoints } = await artifactScene();
    for (const generation of [1, 2, 3, 4]) {
      // A holder that ends before it has deleted anything: a new one for each save, of another inventory.
      await saveGeneration(checkpoints, generation, { commits: false });
    }
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    await blobs.put("somebody-elses", new Uint8Array(1));
    const last = await saveGeneration(checkpoints, 5, { commits: false });
    await checkpoints.commit(last);
    const planned = await planArtifactCollection(store, 0);
    const found = planned.blobs.map(({ name }) => name.split(".").slice(2, 4).join(" ")).sort();
    expect(found).toEqual(["block-0 1-2", "block-0 1-3", "gradient-0 1-2", "gradient-0 1-3"]);
    await applyArtifactCollection(store, planned);
    expect(await blobs.info("somebody-elses")).toBeDefined();
    await checkpoints.load("block-0", { attempt: 1, generation: 5 });
  });
});

describe("applyArtifactCollection", () => {
  it("leaves a part alone that is published again after the plan was made", async () => {
    const { store } = await artifactScene();
    const releases = await openReleases(store, SCOPE);
    const { release, digests } = await releases.publish([part]);
    await (await store.kv(ARTIFACT_RECORDS)).delete(`${SCOPE}.release.${release}`);
    await (await store.kv(ARTIFACT_RECORDS)).put(`${SCOPE}.fence.block-0`, new TextEncoder().encode("{}"));
    const planned = await planArtifactCollection(store, 0);
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
