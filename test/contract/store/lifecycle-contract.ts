/** The store itself: buckets and the end. */
import { expect, it } from "vitest";
import { BAD_BUCKETS, bytes, type StoreFactory, text, withStore } from "./store-harness.ts";

export function describeLifecycle(factory: StoreFactory): void {
  it("kv and blobs reject a malformed bucket name with KN_CONFIG", () =>
    withStore(factory, async ({ store }) => {
      for (const bucket of BAD_BUCKETS) {
        await expect(store.kv(bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
        await expect(store.blobs(bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
      }
    }));

  it("buckets lists what exists, also after a restart, and removeBucket deletes it with all that it holds", () =>
    withStore(factory, async (harness) => {
      expect(await harness.store.buckets()).toEqual([]);
      for (const name of ["one", "two"]) {
        await (await harness.store.kv(name)).put("a", bytes(name));
        await (await harness.store.blobs(name)).put("a", bytes(name));
      }
      const [kv, blobs] = [await harness.store.kv("one"), await harness.store.blobs("one")];
      await harness.store.removeBucket("blobs", "one");
      await harness.store.removeBucket("kv", "two");
      expect(await harness.store.buckets()).toEqual([
        { kind: "blobs", name: "two" },
        { kind: "kv", name: "one" },
      ]);
      await expect(blobs.get("a")).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      await expect(blobs.put("a", bytes("x"))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      expect(text((await kv.get("a"))?.value)).toBe("one");
      await harness.reopen();
      expect(await harness.store.buckets()).toHaveLength(2);
      expect(await (await harness.store.blobs("one")).list()).toEqual([]);
      expect(await (await harness.store.kv("two", { ttlMs: 60_000 })).keys()).toEqual([]);
    }));

  it("removeBucket of an absent bucket is no error, and of a malformed name KN_CONFIG", () =>
    withStore(factory, async ({ store }) => {
      await store.removeBucket("kv", "absent");
      await store.removeBucket("blobs", "absent");
      for (const bucket of BAD_BUCKETS) {
        await expect(store.removeBucket("kv", bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
        await expect(store.removeBucket("blobs", bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
      }
    }));

  it("removeBucket of an open KV bucket makes what is open on it reject with KN_UNAVAILABLE", () =>
    withStore(factory, async ({ store }) => {
      const kv = await store.kv("one");
      await kv.put("a", bytes("x"));
      await store.removeBucket("kv", "one");
      await expect(kv.get("a")).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      await expect(kv.put("a", bytes("x"))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      await expect(kv.keys()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    }));

  it("close makes everything else reject with KN_UNAVAILABLE", () =>
    withStore(factory, async ({ store }) => {
      const kv = await store.kv("records");
      const blobs = await store.blobs("checkpoints");
      const log = await store.log("run");
      await store.close();
      await store.close();
      const closed = { code: "KN_UNAVAILABLE" };
      await expect(store.kv("records")).rejects.toMatchObject(closed);
      await expect(store.blobs("checkpoints")).rejects.toMatchObject(closed);
      await expect(kv.get("a")).rejects.toMatchObject(closed);
      await expect(kv.put("a", bytes("x"))).rejects.toMatchObject(closed);
      await expect(kv.keys()).rejects.toMatchObject(closed);
      await expect(kv.delete("a")).rejects.toMatchObject(closed);
      expect(() => kv.watch(">")).toThrow(expect.objectContaining(closed));
      await expect(blobs.put("a", bytes("x"))).rejects.toMatchObject(closed);
      await expect(blobs.get("a")).rejects.toMatchObject(closed);
      await expect(blobs.list()).rejects.toMatchObject(closed);
      await expect(blobs.delete("a")).rejects.toMatchObject(closed);
      await expect(log.append(bytes("x"))).rejects.toMatchObject(closed);
      expect(() => log.read()).toThrow(expect.objectContaining(closed));
      await expect(store.log("run")).rejects.toMatchObject(closed);
      await expect(store.buckets()).rejects.toMatchObject(closed);
      await expect(store.logs()).rejects.toMatchObject(closed);
      await expect(store.removeBucket("kv", "records")).rejects.toMatchObject(closed);
      await expect(store.removeLog("run")).rejects.toMatchObject(closed);
    }));
}
