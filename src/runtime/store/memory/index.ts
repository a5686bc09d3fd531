/**
 * The store of a test or a short-lived process: nothing is left when it is gone.
 *
 * @example
 * await using store = await memoryStore({ clock });
 */
export { memoryStore, type MemoryStoreOptions } from "./memory-store.ts";
