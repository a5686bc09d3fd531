/**
 * A bucket of records in JetStream, in the layout of NATS KV, so that `nats kv ls/get/watch` show it.
 *
 * A deletion is a marker, which watchers receive. The server removes it after `markerTtlMs`; a watcher that was cut off for
 * longer misses the deletion. After the server was away a watch goes on by itself within some 10 s (nats.js notices by two
 * missed heartbeats) and reports the changes made meanwhile.
 */
import type { Clock } from "../../clock/index.ts";
import { headers, type JetStreamClient, type JetStreamManager, type KV, type StoredMsg } from "../../nats/index.ts";
import { assertFilter, assertName, assertValueSize, fenced } from "../keys.ts";
import type { KeyValue, KvChange, KvEntry } from "../store.ts";
import { isWrongRevision, orTranslate, translate } from "./jetstream-errors.ts";
import { lastMessage, mapInTurn, subjectCounts, throughElection } from "./leader-reads.ts";

type WatchedEntry = NonNullable<Awaited<ReturnType<KV["get"]>>>;

/** Headers of NATS KV (ADR-8) and of per-message expiry (ADR-43). */
const OPERATION = "KV-Operation";
const EXPIRY = "Nats-TTL";

export interface JetStreamKeyValueOptions {
  readonly bucket: string;
  /** How long the marker of a deletion stays, ms; undefined: as long as a value of the bucket. */
  readonly markerTtlMs: number | undefined;
  /** Another JetStream domain than the server's; undefined: its own. */
  readonly domain: string | undefined;
}

export interface JetStreamKeyValueDeps {
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly clock: Clock;
  /** Of the store, for messages. */
  readonly description: string;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

/** The last message on a key. */
interface Found {
  readonly revision: number;
  /** Undefined: the key was deleted. */
  readonly entry: KvEntry | undefined;
}

export function jetStreamKeyValue(options: JetStreamKeyValueOptions, deps: JetStreamKeyValueDeps): KeyValue {
  const { bucket, markerTtlMs, domain } = options;
  const { jetstream, manager, clock, description, assertOpen } = deps;
  const stream = streamOfRecords(bucket);
  const subjectOf = (key: string): string => `$KV.${bucket}.${key}`;
  /** A domain's changes are addressed to it: plain ones end at the bucket of that name in one's own. */
  const addressOf = (key: string): string =>
    domain === undefined ? subjectOf(key) : `$JS.${domain}.API.${subjectOf(key)}`;

  const checked = <T>(what: string, key: string, work: (attempt: string) => Promise<T>): Promise<T> => {
    const attempt = `${what} ${bucket}/${key}`;
    return orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      assertName(bucket, key);
      return work(attempt);
    });
  };

  const find = async (key: string): Promise<Found | undefined> => {
    const message = await lastMessage(manager, stream, subjectOf(key));
    if (message === undefined) return undefined;
    return { revision: message.seq, entry: isMarker(message) ? undefined : entryOf(key, message) };
  };

  /** @param expected revision of the key's last message, a marker's too; 0: it must have none */
  const publish = async (key: string, value: Uint8Array, expected?: number): Promise<number> => {
    const expect = expected === undefined ? {} : { expect: { lastSubjectSequence: expected } };
    const { seq } = await jetstream.publish(addressOf(key), value, expect);
    return seq;
  };

  const set = (key: string, value: Uint8Array, send: (taken: Uint8Array) => Promise<number>): Promise<number> =>
    checked("set", key, async () => {
      assertValueSize(bucket, key, value);
      return send(new Uint8Array(value));
    });

  /** A refusal of the server, with the present revision. */
  const fencedNow = async (key: string, rule: string): Promise<Error> =>
    fenced(bucket, key, rule, (await find(key))?.entry?.revision);

  const orFenced = async (key: string, rule: string, work: () => Promise<number>): Promise<number> => {
    try {
      return await work();
    } catch (error) {
      throw isWrongRevision(error) ? await fencedNow(key, rule) : error;
    }
  };

  const list = (filter: string): Promise<KvEntry[]> =>
    orTranslate(description, `list ${bucket}`, async () => {
      assertOpen(`list ${bucket}`);
      assertFilter(bucket, filter);
      const reading = <T>(work: () => Promise<T>): Promise<T> => throughElection(clock, work);
      const subjects = await reading(() => subjectCounts(manager, stream, subjectOf(filter)));
      const keys = Object.keys(subjects).map((subject) => subject.slice(subjectOf("").length));
      const found = await mapInTurn(keys.sort(), (key) => reading(() => find(key)));
      return found.flatMap((each) => each?.entry ?? []);
    });

  return {
    bucket,
    get: (key) => checked("get", key, async () => (await find(key))?.entry),
    put: (key, value) => set(key, value, (taken) => publish(key, taken)),
    create: (key, value) =>
      set(key, value, (taken) =>
        orFenced(key, "it must have no value", async () => {
          try {
            return await publish(key, taken, 0);
          } catch (error) {
            const found = isWrongRevision(error) ? await find(key) : undefined;
            if (found === undefined || found.entry !== undefined) throw error;
            return publish(key, taken, found.revision);
          }
        }),
      ),
    update: (key, value, expected) =>
      set(key, value, async (taken) => {
        const rule = `its revision must be ${expected}`;
        // The revision of a marker is the key's last one to JetStream, but here a deleted key has none.
        const found = (await find(key))?.entry;
        if (found?.revision !== expected) throw fenced(bucket, key, rule, found?.revision);
        return orFenced(key, rule, () => publish(key, taken, expected));
      }),
    delete: (key, expected) =>
      checked("delete", key, async () => {
        const found = (await find(key))?.entry;
        if (found === undefined) return;
        const rule = `its revision must be ${expected}`;
        if (expected !== undefined && found.revision !== expected) throw fenced(bucket, key, rule, found.revision);
        const head = headers();
        head.set(OPERATION, "DEL");
        if (markerTtlMs !== undefined) head.set(EXPIRY, `${Math.ceil(markerTtlMs / 1_000)}s`);
        try {
          await jetstream.publish(addressOf(key), new Uint8Array(0), {
            headers: head,
            ...(expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }),
          });
        } catch (error) {
          if (!isWrongRevision(error)) throw error;
          // Deleted meanwhile: success. Overwritten meanwhile: conflict.
          const now = (await find(key))?.entry;
          if (now !== undefined) throw fenced(bucket, key, rule, now.revision);
        }
      }),
    keys: async (filter = ">") => (await list(filter)).map(({ key }) => key),
    entries: (filter = ">") => list(filter),
    watch(filter, { signal } = {}) {
      assertOpen(`watch ${bucket}`);
      assertFilter(bucket, filter);
      return { [Symbol.asyncIterator]: () => watch(filter, signal) };
    },
  };

  function watch(filter: string, signal: AbortSignal | undefined): AsyncIterator<KvChange, undefined> {
    let isInitial = true;
    // Called in the order of the entries: those before it are the present ones, markers of deletions among them.
    const initializedFn = (): void => {
      isInitial = false;
    };
    const starting = orTranslate(description, `watch ${bucket}`, () =>
      throughElection(clock, async () => {
        const kv = await jetstream.views.kv(bucket, { bindOnly: true });
        return kv.watch({ key: filter, initializedFn });
      }),
    );
    const inner = starting.then((iterator) => ({ iterator, entries: iterator[Symbol.asyncIterator]() }));
    inner.catch(() => undefined); // `next` rejects with it
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
        let result: IteratorResult<WatchedEntry, unknown>;
        try {
          result = (await entries.next()) as IteratorResult<WatchedEntry, unknown>;
        } catch (error) {
          throw translate(description, `watch ${bucket}`, error);
        }
        if (result.done === true || signal?.aborted === true) {
          signal?.removeEventListener("abort", onAbort);
          return { done: true, value: undefined };
        }
        const { key, revision, value, created, operation } = result.value;
        if (operation === "PUT") {
          const entry = { key, value: new Uint8Array(value), revision, writtenMs: created.getTime() };
          return { done: false, value: { kind: "put", entry } };
        }
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

/** Name of the stream that holds the records of a bucket. */
export function streamOfRecords(bucket: string): string {
  return `KV_${bucket}`;
}

function entryOf(key: string, { data, seq, time }: StoredMsg): KvEntry {
  return { key, value: new Uint8Array(data), revision: seq, writtenMs: time.getTime() };
}

function isMarker({ header }: StoredMsg): boolean {
  return header.get(OPERATION) !== "";
}
