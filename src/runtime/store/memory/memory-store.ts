/** A store in memory: the adapter on a disk over files that are a map. What a caller keeps of `content` can be opened again. */
import { type Clock, systemClock } from "../../clock/index.ts";
import { storeOverFiles } from "../file/store-over-files.ts";
import type { Store } from "../store.ts";
import { memoryFiles, type MemoryFolder } from "./memory-files.ts";

export interface MemoryStoreOptions {
  /** For expiry. @default the real one */
  readonly clock?: Clock;
  /** Files of an earlier store, which goes on with them. @default none */
  readonly content?: MemoryFolder;
}

export function memoryStore(options: MemoryStoreOptions = {}): Promise<Store> {
  const { clock = systemClock(), content = new Map<string, Uint8Array>() } = options;
  return storeOverFiles(
    { directory: "memory", description: "memory" },
    { files: memoryFiles(content), clock, onClose: () => Promise.resolve() },
  );
}
