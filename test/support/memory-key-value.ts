/** A bucket in memory, with the semantics of the port and values that expire by the clock of the store. */
import { KnowledgeNetError } from "../../src/errors/index.ts";
import type { Clock } from "../../src/runtime/clock/index.ts";
import type { KeyValue, KvEntry } from "../../src/runtime/store/index.ts";

export interface MemoryKeyValue extends KeyValue {
  /** The store does not answer. */
  isAway: boolean;
  /** Changes are made, and their answers lost. */
  losesAnswers: boolean;
  /** The store was lost: no value is left, and revisions begin anew at 1. */
  empty(): void;
}

export interface MemoryKeyValueOptions {
  readonly ttlMs?: number;
}

export function memoryKeyValue({ ttlMs }: MemoryKeyValueOptions, clock: Clock): MemoryKeyValue {
  const entries = new Map<string, KvEntry>();
  let revision = 0;
  const refused = (code: "KN_FENCED" | "KN_UNAVAILABLE", rule: string): KnowledgeNetError =>
    new KnowledgeNetError(code, { attempt: "use a bucket in memory", rule });

  const find = (key: string): KvEntry | undefined => {
    const entry = entries.get(key);
    return entry === undefined || (ttlMs !== undefined && clock.wallTimeMs() - entry.writtenMs >= ttlMs)
      ? undefined
      : entry;
  };
  const answer = async <T>(work: () => T, isChange = false): Promise<T> => {
    await Promise.resolve();
    if (bucket.isAway) throw refused("KN_UNAVAILABLE", "the store must answer");
    const result = work();
    if (isChange && bucket.losesAnswers) throw refused("KN_UNAVAILABLE", "the answer must come through");
    return result;
  };
  const write = (key: string, value: Uint8Array): number => {
    revision += 1;
    entries.set(key, { key, value: value.slice(), revision, writtenMs: clock.wallTimeMs() });
    return revision;
  };

  const bucket: MemoryKeyValue = {
    bucket: "memory",
    isAway: false,
    losesAnswers: false,
    empty() {
      entries.clear();
      revision = 0;
    },
    get: (key) => answer(() => find(key)),
    put: (key, value) => answer(() => write(key, value), true),
    create: (key, value) =>
      answer(() => {
        if (find(key) !== undefined) throw refused("KN_FENCED", "the key must have no value");
        return write(key, value);
      }, true),
    update: (key, value, expected) =>
      answer(() => {
        if (find(key)?.revision !== expected) throw refused("KN_FENCED", "the revision must be the last one");
        return write(key, value);
      }, true),
    delete: (key, expected) =>
      answer(() => {
        const found = find(key);
        if (found === undefined) return;
        if (expected !== undefined && found.revision !== expected) {
          throw refused("KN_FENCED", "the revision must be the last one");
        }
        entries.delete(key);
      }, true),
    keys: () => answer(() => [...entries.keys()].filter((key) => find(key) !== undefined).sort()),
    entries: () => answer(() => [...entries.keys()].map(find).filter((entry) => entry !== undefined)),
    watch() {
      throw new TypeError("a bucket in memory cannot be watched");
    },
  };
  return bucket;
}
