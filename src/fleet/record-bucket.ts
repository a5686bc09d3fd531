/** Records of one schema in a bucket, as JSON, so that `nats kv get` shows them. */
import type { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import { changeKey, type KeyValue, type KvEntry, parseJson } from "../runtime/store/index.ts";

/** A bucket whose values are records of one schema. A value that does not parse reads as absent. */
export interface Records<T> {
  readonly kv: KeyValue;
  get(key: string): Promise<{ readonly value: T; readonly revision: number } | undefined>;
  parse(entry: KvEntry): T | undefined;
  all(): Promise<T[]>;
  put(key: string, value: T): Promise<number>;
  /** Writes only when there is none. Rejects with KN_FENCED when there is. */
  create(key: string, value: T): Promise<number>;
  /**
   * Compare-and-swap, repeated after a concurrent write. `change` returns undefined to leave the record unchanged.
   * Rejects with KN_CONFIG when there is no record.
   */
  change(key: string, change: (value: T) => T | undefined): Promise<T>;
}

export function recordsOf<T>(kv: KeyValue, schema: z.ZodType<T>): Records<T> {
  const parse = ({ value }: KvEntry): T | undefined => schema.safeParse(parseJson(value)).data;
  const encode = (value: T): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const get = async (key: string): Promise<{ value: T; revision: number } | undefined> => {
    const entry = await kv.get(key);
    const value = entry === undefined ? undefined : parse(entry);
    return entry === undefined || value === undefined ? undefined : { value, revision: entry.revision };
  };
  return {
    kv,
    parse,
    get,
    async all() {
      const found = await Promise.all((await kv.keys()).map(get));
      return found.flatMap((each) => (each === undefined ? [] : [each.value]));
    },
    put: (key, value) => kv.put(key, encode(value)),
    create: (key, value) => kv.create(key, encode(value)),
    async change(key, change) {
      let latest: T | undefined;
      await changeKey(kv, key, (entry) => {
        const found = entry === undefined ? undefined : parse(entry);
        if (found === undefined) throw absent(kv.bucket, key);
        const changed = change(found);
        latest = changed ?? found;
        return changed === undefined ? undefined : encode(changed);
      });
      return latest as T;
    },
  };
}

function absent(bucket: string, key: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `change ${key}`,
    rule: `${bucket} must contain it`,
    value: "absent",
    remedy: "`kn runs` and `kn nodes` list runs and nodes",
  });
}
