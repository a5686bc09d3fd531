/**
 * Durable data: records with compare-and-set and watch, blobs with a digest, append-only logs. One port; on a disk for a
 * single process, in JetStream for many, in memory for tests.
 *
 * @example
 * await using store = await fileStore({ directory: "runs/demo/store" });
 * const leases = await store.kv("leases", { ttlMs: 10_000 });
 * const fence = await leases.create("block-0", new TextEncoder().encode("edge-1"));
 */
export { changeKey } from "./change-key.ts";
export {
  fileOfRecord,
  type FileSystem,
  fileStore,
  type FileStoreOptions,
  isFolderInUse,
  isStoreInUse,
  readFileStore,
} from "./file/index.ts";
export { connectJetStreamStore, type JetStreamStoreOptions } from "./jetstream/index.ts";
export { MAX_VALUE_BYTES } from "./keys.ts";
export { memoryStore, type MemoryStoreOptions } from "./memory/index.ts";
export { parseJson } from "./parse-json.ts";
export { mirroredStore, type MirroredStoreDeps } from "./mirror/index.ts";
export type {
  BlobInfo,
  Blobs,
  BucketKind,
  BucketName,
  KeyValue,
  KvChange,
  KvEntry,
  KvOptions,
  Log,
  LogEntry,
  LogOptions,
  Store,
} from "./store.ts";
