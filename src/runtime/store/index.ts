/**
 * What must last: records with compare-and-set and watch, blobs with a digest; on a disk or in JetStream.
 *
 * @example
 * await using store = await fileStore({ directory: "runs/demo/store", clock: systemClock() });
 * const leases = await store.kv("leases", { ttlMs: 10_000 });
 * const fence = await leases.create("block-0", new TextEncoder().encode("edge-1"));
 */
export { fileStore, type FileStoreOptions } from "./file/file-store.ts";
export type { BlobInfo, Blobs, KeyValue, KvChange, KvEntry, KvOptions, Store } from "./store.ts";
