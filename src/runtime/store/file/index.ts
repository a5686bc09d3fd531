/**
 * The store of a single process.
 *
 * @example
 * await using store = await fileStore({ directory: "runs/demo/store" });
 * const blobs = await store.blobs("checkpoints");
 * const { digest } = await blobs.put("block-0.7", weights);
 */
export type { FileSystem } from "./durable-files.ts";
export { fileOfRecord, fileStore, type FileStoreOptions, isStoreInUse, readFileStore } from "./file-store.ts";
export { isFolderInUse } from "./folder-lock.ts";
