/** A bucket of a memory store whose calls can be made to fail, and whose store can be lost. */
import type { Clock } from "../../src/runtime/clock/index.ts";
import { type KeyValue, type KvOptions, memoryStore } from "../../src/runtime/store/index.ts";
import { failingStore, type StoreFaults, switchedFaults } from "./failing-store.ts";

export interface MemoryKeyValue extends KeyValue {
  /** Set `now` to make calls fail. */
  readonly faults: { now: StoreFaults | undefined };
  /** The store was lost: no value is left, and revisions begin at 1 again. */
  lose(): Promise<void>;
}

/** @param clock of the store, for expiry */
export async function memoryKeyValue(options: KvOptions, clock: Clock): Promise<MemoryKeyValue> {
  const faults = switchedFaults();
  const open = async (): Promise<KeyValue> =>
    failingStore(await memoryStore({ clock }), faults, clock).kv("memory", options);
  let kv = await open();
  return {
    bucket: kv.bucket,
    faults,
    async lose() {
      kv = await open();
    },
    get: (key) => kv.get(key),
    put: (key, value) => kv.put(key, value),
    create: (key, value) => kv.create(key, value),
    update: (key, value, revision) => kv.update(key, value, revision),
    delete: (key, revision) => kv.delete(key, revision),
    keys: (filter) => kv.keys(filter),
    entries: (filter) => kv.entries(filter),
    watch: (filter, watching) => kv.watch(filter, watching),
  };
}
