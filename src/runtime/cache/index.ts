/**
 * Records that could be had again, kept under a budget.
 *
 * @example
 * const shelf = await cache.shelf({ key: "what these are, wholly", recordBytes: 1024 });
 * const found = await shelf.read([7, 8], rows);
 */
export { createFileRecordCache, type FileRecordCacheOptions } from "./file-record-cache.ts";
export type { RecordCache, Shelf, ShelfOptions } from "./record-cache.ts";
