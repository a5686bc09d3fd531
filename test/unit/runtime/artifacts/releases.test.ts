import { describe, expect, it } from "vitest";
import { openReleases } from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const BUCKETS = { blobs: "teacher", records: "teachers" } as const;
const part = (value: number) => ({
  "weights/a/kernel": { dtype: "f32" as const, shape: [1], values: Float32Array.of(value) },
});

async function scene(path: string) {
  const store = await fileStore({ directory: path, clock: simulatedClock() });
  return { store, releases: await openReleases(store, BUCKETS) };
}

describe("openReleases", () => {
  it("numbers what is published; the newest is the last, each keeps its parts", async () => {
    await using folder = await temporaryFolder();
    const { store, releases } = await scene(folder.path);
    expect(await releases.newest()).toBeUndefined();
    expect((await releases.publish([part(1), part(2)])).release).toBe(1);
    expect((await releases.publish([part(3), part(4)])).release).toBe(2);
    expect((await releases.newest())?.release).toBe(2);
    expect(await releases.load(await releases.get(1), 1)).toEqual(part(2));
    expect(await releases.load(await releases.get(2), 0)).toEqual(part(3));
    await store.close();
  });

  it("two who publish at once get two numbers, and each finds its own parts under its own", async () => {
    await using folder = await temporaryFolder();
    const { store, releases } = await scene(folder.path);
    const other = await openReleases(store, BUCKETS);
    const [a, b] = await Promise.all([releases.publish([part(1)]), other.publish([part(2)])]);
    expect(new Set([a.release, b.release])).toEqual(new Set([1, 2]));
    expect(await releases.load(await releases.get(a.release), 0)).toEqual(part(1));
    expect(await releases.load(await releases.get(b.release), 0)).toEqual(part(2));
    await store.close();
  });

  it("the same weights have the same digests in any release, others have others", async () => {
    await using folder = await temporaryFolder();
    const { store, releases } = await scene(folder.path);
    const digests = [];
    for (const value of [1, 2, 1]) digests.push((await releases.publish([part(value)])).digests[0]);
    expect(digests[0]).toBe(digests[2]);
    expect(digests[0]).not.toBe(digests[1]);
    await store.close();
  });

  it("refuses with KN_CHECKPOINT a release that is not there, a part that is not, and a damaged one", async () => {
    await using folder = await temporaryFolder();
    const { store, releases } = await scene(folder.path);
    await expect(releases.get(1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    const release = await releases.publish([part(1)]);
    await expect(releases.load(release, 1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    const blobs = await store.blobs(BUCKETS.blobs);
    for (const { name } of await blobs.list()) await blobs.delete(name);
    await expect(releases.load(release, 0)).rejects.toThrow(/KN_CHECKPOINT.*kn teach/);
    await store.close();
  });
});
