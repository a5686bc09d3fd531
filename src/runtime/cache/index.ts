/**
 * A cache of records that can be computed again, under a budget.
 *
 * @example
 * const partition = await cache.partition({ key: "everything the records depend on", recordBytes: 1024 });
 * const isPresent = await partition.read([7, 8], rows);
 */
export { createFileRecordCache, type FileRecordCacheOptions } from "./file-record-cache.ts";
export type { CachePartition, PartitionOptions, RecordCache } from "./record-cache.ts";
