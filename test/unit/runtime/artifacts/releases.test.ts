import { describe, expect, it } from "vitest";
import { ARTIFACT_BLOBS, openReleases, scopeOfModel } from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";

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
