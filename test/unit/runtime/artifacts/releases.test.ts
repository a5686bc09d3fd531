import { describe, expect, it } from "vitest";
import {
  applyArtifactCollection,
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  openReleases,
  planArtifactCollection,
  scopeOfModel,
} from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { failingStore, failTimes, switchedFaults } from "../../../support/failing-store.ts";

const SCOPE = scopeOfModel("digits");
const part = (value: number) => ({
  "weights/a/kernel": { dtype: "f32" as const, shape: [1], values: Float32Array.of(value) },
});

async function scene() {
  const store = await memoryStore({ clock: simulatedClock() });
  return { store, releases: await openReleases(store, SCOPE) };
}

describe("openReleases", () => {
  it("numbers what is published; the newest is the last, each keeps its parts", async () => {
    const { releases } = await scene();
    expect(await releases.newest()).toBeUndefined();
    expect((await releases.publish([part(1), part(2)])).release).toBe(1);
    expect((await releases.publish([part(3), part(4)], { metadata: { run: "r" } })).release).toBe(2);
    expect(await releases.newest()).toMatchObject({ release: 2, metadata: { run: "r" } });
    expect(await releases.load(await releases.get(1), 1)).toEqual(part(2));
    expect(await releases.load(await releases.get(2), 0)).toEqual(part(3));
  });

  it("two that publish at once get two numbers, and each finds its own parts under its own", async () => {
    const { store, releases } = await scene();
    const other = await openReleases(store, SCOPE);
    const [a, b] = await Promise.all([releases.publish([part(1)]), other.publish([part(2)])]);
    expect(new Set([a.release, b.release])).toEqual(new Set([1, 2]));
    expect(await releases.load(await releases.get(a.release), 0)).toEqual(part(1));
    expect(await releases.load(await releases.get(b.release), 0)).toEqual(part(2));
  });

  it("the same weights have the same digests in any release, others have others", async () => {
    const { releases } = await scene();
    const digests = [];
    for (const value of [1, 2, 1]) digests.push((await releases.publish([part(value)])).digests[0]);
    expect(digests[0]).toBe(digests[2]);
    expect(digests[0]).not.toBe(digests[1]);
  });

  it("refuses with KN_CHECKPOINT a release that is not there, a part that is not, and one of other content", async () => {
    const { store, releases } = await scene();
    await expect(releases.get(1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    const release = await releases.publish([part(1)]);
    await expect(releases.load(release, 1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    const [blob] = await blobs.list();
    await blobs.put(blob?.name ?? "", new TextEncoder().encode("other content"));
    await expect(releases.load(release, 0)).rejects.toThrow(/KN_CHECKPOINT.*must have the digest/);
    await blobs.delete(blob?.name ?? "");
    await expect(releases.load(release, 0)).rejects.toThrow(/KN_CHECKPOINT.*publish it again/);
  });
});

describe("PublishOptions.metadata", () => {
  it("may be computed from the number that the release gets, also when another one takes a number first", async () => {
    const { store, releases } = await scene();
    const other = await openReleases(store, SCOPE);
    const metadata = ({ release, digests }: { release: number; digests: string[] }) => ({
      facts: `${release} ${digests.length}`,
    });
    const found = await Promise.all([
      releases.publish([part(1)], { metadata }),
      other.publish([part(2), part(3)], { metadata }),
    ]);
    for (const { release, digests, metadata: facts } of found)
      expect(facts).toEqual({ facts: `${release} ${digests.length}` });
  });
});

describe("Releases.publish, of the same parts by two processes", () => {
  it("the parts stay named until both are done, whatever is collected meanwhile", async () => {
    const { store, releases } = await scene();
    const clock = simulatedClock();
    const faults = switchedFaults();
    const slow = await openReleases(failingStore(store, faults, clock), SCOPE);
    faults.now = failTimes(1, { operation: "create" }, { kind: "slow", delayMs: 1_000 });
    const late = slow.publish([part(1)]);
    for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
    await releases.publish([part(1)]);
    await releases.publish([part(2)]);
    await releases.retain({ kept: 1 });
    await applyArtifactCollection(store, await planArtifactCollection(store, 0));
    await clock.advance(1_000);
    const { release } = await late;
    expect(await releases.load(await releases.get(release), 0)).toEqual(part(1));
  });
});

describe("Releases.remove", () => {
  it("deletes releases and the parts that no other names; a pinned one and an absent one are left", async () => {
    const { store, releases } = await scene();
    for (const value of [1, 2, 1, 4]) await releases.publish([part(value)]);
    await releases.setPinned(4, true);
    await releases.remove([1, 2, 4, 9]);
    expect((await releases.list()).map(({ release }) => release)).toEqual([4, 3]);
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(2);
    expect(await releases.load(await releases.get(3), 0)).toEqual(part(1));
  });

  it("deletes no parts while a record does not parse: it may name them", async () => {
    const { store, releases } = await scene();
    for (const value of [1, 2]) await releases.publish([part(value)]);
    const records = await store.kv(ARTIFACT_RECORDS);
    await records.put(`${SCOPE}.release.7`, new TextEncoder().encode('{"format":3}'));
    await releases.remove([1]);
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(2);
    expect((await planArtifactCollection(store, Infinity)).blobs).toEqual([]);
    expect((await releases.list()).map(({ release }) => release)).toEqual([2]);
    await expect(releases.find(7)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect((await releases.publish([part(3)])).release).toBe(8);
  });
});

describe("Releases.retain", () => {
  it("keeps the newest, the pinned and those in use, and the parts that they name", async () => {
    const { store, releases } = await scene();
    for (const value of [1, 2, 3, 1, 5]) await releases.publish([part(value)]);
    await releases.setPinned(2, true);
    await releases.retain({ kept: 1, inUse: [1] });
    expect((await releases.list()).map(({ release }) => release)).toEqual([5, 2, 1]);
    expect(await releases.load(await releases.get(1), 0)).toEqual(part(1));
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(3);
    await releases.setPinned(2, false);
    await releases.retain({ kept: 1 });
    expect((await releases.list()).map(({ release }) => release)).toEqual([5]);
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(1);
  });

  it("leaves a part alone that an older release shares with one that is published meanwhile", async () => {
    const { store, releases } = await scene();
    for (const value of [1, 2]) await releases.publish([part(value)]);
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    // Between the look at the blob and its deletion, the same weights are published again.
    const records = await store.kv("kn-manifests");
    const racing = await openReleases(
      {
        ...store,
        blobs: async (bucket) => {
          const inner = await store.blobs(bucket);
          return {
            ...inner,
            async info(name) {
              const info = await inner.info(name);
              await inner.put(name, (await inner.get(name)) ?? new Uint8Array());
              return info;
            },
          };
        },
      },
      SCOPE,
    );
    await racing.retain({ kept: 1 });
    expect(await records.keys("model.digits.release.*")).toEqual(["model.digits.release.2"]);
    expect(await blobs.list()).toHaveLength(2);
  });

  it("rejects a pin of a release that is not there, and takes no release for one in use by itself", async () => {
    const { releases } = await scene();
    await expect(releases.setPinned(1, true)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    for (const value of [1, 2, 3]) await releases.publish([part(value)]);
    await releases.retain({ kept: 2 });
    expect((await releases.list()).map(({ release }) => release)).toEqual([3, 2]);
  });

  it("numbers go on after the newest was all that is left", async () => {
    const { releases } = await scene();
    for (const value of [1, 2]) await releases.publish([part(value)]);
    await releases.retain({ kept: 1 });
    expect((await releases.publish([part(3)])).release).toBe(3);
  });
});
