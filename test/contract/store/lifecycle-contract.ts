/** The store itself: buckets and the end. */
import { expect, it } from "vitest";
import { BAD_BUCKETS, bytes, type StoreFactory, withStore } from "./store-harness.ts";

export function describeLifecycle(factory: StoreFactory): void {
  it("kv and blobs reject a malformed bucket name with KN_CONFIG", () =>
    withStore(factory, async ({ store }) => {
      for (const bucket of BAD_BUCKETS) {
        await expect(store.kv(bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
        await expect(store.blobs(bucket)).rejects.toMatchObject({ code: "KN_CONFIG" });
      }
    }));

  it("close makes everything else reject with KN_UNAVAILABLE", () =>
    withStore(factory, async ({ store }) => {
      const kv = await store.kv("records");
      const blobs = await store.blobs("checkpoints");
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
    }));
}
