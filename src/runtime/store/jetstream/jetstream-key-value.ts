/**
 * A bucket of records on JetStream KV. `nats kv ls/get/watch` show it. After the server was away a watch goes on by itself
 * within some 10 s (nats.js notices by two missed heartbeats) with what was changed meanwhile.
 */
import type { KV } from "../../nats/index.ts";
import { assertFilter, assertName, assertValueSize, fenced } from "../keys.ts";
import type { KeyValue, KvChange, KvEntry } from "../store.ts";
import { mapInTurn } from "./map-in-turn.ts";
import { isWrongRevision, orTranslate, translate } from "./jetstream-errors.ts";

type Entry = NonNullable<Awaited<ReturnType<KV["get"]>>>;

export interface JetStreamKeyValueDeps {
  readonly kv: KV;
  /** Of the store, for messages. */
  readonly description: string;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export function jetStreamKeyValue(bucket: string, { kv, description, assertOpen }: JetStreamKeyValueDeps): KeyValue {
  const checked = <T>(what: string, key: string, work: (attempt: string) => Promise<T>): Promise<T> => {
    const attempt = `${what} ${bucket}/${key}`;
    return orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      assertName(bucket, key);
      return work(attempt);
    });
  };

  const present = async (key: string): Promise<Entry | undefined> => {
    const entry = await kv.get(key);
    return entry === null || isRemoval(entry) ? undefined : entry;
  };

  const set = (key: string, value: Uint8Array, send: (taken: Uint8Array) => Promise<number>): Promise<number> =>
    checked("set", key, async () => {
      assertValueSize(bucket, key, value);
      return send(new Uint8Array(value));
    });

  /** What the server refused is told with what is there now. */
  const fencedNow = async (key: string, rule: string): Promise<Error> =>
    fenced(bucket, key, rule, (await present(key))?.revision);

  return {
    bucket,
    get: (key) =>
      checked("get", key, async () => {
        const entry = await present(key);
        return entry === undefined ? undefined : entryOf(key, entry);
      }),
    put: (key, value) => set(key, value, (taken) => kv.put(key, taken)),
    create: (key, value) =>
      set(key, value, async (taken) => {
        try {
          return await kv.create(key, taken);
        } catch (error) {
          throw isWrongRevision(error) ? await fencedNow(key, "it must have no value") : error;
        }
      }),
    update: (key, value, expected) =>
      set(key, value, async (taken) => {
        const rule = `its revision must be ${expected}`;
        // The revision of a removal is the key's last one to JetStream, but here a removed key has none.
        const found = await present(key);
        if (found?.revision !== expected) throw fenced(bucket, key, rule, found?.revision);
        try {
          return await kv.update(key, taken, expected);
        } catch (error) {
          throw isWrongRevision(error) ? await fencedNow(key, rule) : error;
        }
      }),
    delete: (key, expected) =>
      checked("delete", key, async () => {
        const found = await present(key);
        if (found === undefined) return;
        const rule = `its revision must be ${expected}`;
        if (expected !== undefined && found.revision !== expected) throw fenced(bucket, key, rule, found.revision);
        try {
          await kv.delete(key, expected === undefined ? {} : { previousSeq: expected });
        } catch (error) {
          if (!isWrongRevision(error)) throw error;
          // Changed meanwhile: gone is what was wanted, another value is not.
          const now = await present(key);
          if (now !== undefined) throw fenced(bucket, key, rule, now.revision);
        }
      }),
    keys: (filter = ">") =>
      orTranslate(description, `list ${bucket}`, async () => {
        assertOpen(`list ${bucket}`);
        assertFilter(bucket, filter);
        const keys: string[] = [];
        for await (const key of await kv.keys(filter)) keys.push(key);
        return keys.sort();
      }),
    entries: (filter = ">") =>
      orTranslate(description, `list ${bucket}`, async () => {
        assertOpen(`list ${bucket}`);
        assertFilter(bucket, filter);
        const keys: string[] = [];
        for await (const key of await kv.keys(filter)) keys.push(key);
        const found = await mapInTurn(keys.sort(), async (key) => {
          const entry = await present(key);
          return entry === undefined ? undefined : entryOf(key, entry);
        });
        return found.filter((entry) => entry !== undefined);
      }),
    watch(filter, { signal } = {}) {
      assertOpen(`watch ${bucket}`);
      assertFilter(bucket, filter);
      return { [Symbol.asyncIterator]: () => watch(filter, signal) };
    },
  };

  function watch(filter: string, signal: AbortSignal | undefined): AsyncIterator<KvChange, undefined> {
    let isInitial = true;
    // Told in the order of the entries: what comes before it are the values of now, removals among them.
    const initializedFn = (): void => {
      isInitial = false;
    };
    const starting = orTranslate(description, `watch ${bucket}`, () => kv.watch({ key: filter, initializedFn }));
    const inner = starting.then((iterator) => ({ iterator, entries: iterator[Symbol.asyncIterator]() }));
    inner.catch(() => undefined); // `next` tells
    const stop = async (): Promise<void> => {
      signal?.removeEventListener("abort", onAbort);
      (await inner).iterator.stop();
    };
    const onAbort = (): void => {
      stop().catch(() => undefined);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();

    const next = async (): Promise<IteratorResult<KvChange, undefined>> => {
      const { entries } = await inner;
      for (;;) {
        let result: IteratorResult<Entry, unknown>;
        try {
          result = (await entries.next()) as IteratorResult<Entry, unknown>;
        } catch (error) {
          throw translate(description, `watch ${bucket}`, error);
        }
        if (result.done === true || signal?.aborted === true) {
          signal?.removeEventListener("abort", onAbort);
          return { done: true, value: undefined };
        }
        const { key, revision } = result.value;
        if (!isRemoval(result.value)) return { done: false, value: { kind: "put", entry: entryOf(key, result.value) } };
        if (!isInitial) return { done: false, value: { kind: "delete", key, revision } };
      }
    };
    return {
      next,
      async return() {
        await stop().catch(() => undefined);
        return { done: true, value: undefined };
      },
    };
  }
}

function entryOf(key: string, { value, revision, created }: Entry): KvEntry {
  return { key, value: new Uint8Array(value), revision, writtenMs: created.getTime() };
}

function isRemoval(entry: Entry): boolean {
  return entry.operation !== "PUT";
}
