/**
 * A bucket of records in a folder: one file per key, a line "KN1 <revision> <changed ms> <sha256>" and then the value;
 * `.revision` holds the last revision once a deletion has removed the file that held it. All of it is in memory too:
 * reads and comparisons need no disk. Changes run one after another, and reach the memory once they are on the disk.
 *
 * Expiry is by wall-clock time, so that it goes on while no process runs, and is checked when a key is read: no timers.
 */
import { compileSubjectPattern } from "../../bus/index.ts";
import type { Clock } from "../../clock/index.ts";
import { sha256 } from "../../sha256.ts";
import { assertFilter, assertName, assertValueSize, damaged, fenced } from "../keys.ts";
import type { KeyValue, KvChange, KvEntry } from "../store.ts";
import { createChangeQueue } from "./change-queue.ts";
import type { DurableFiles } from "./durable-files.ts";

export interface FileKeyValueOptions {
  readonly folder: string;
  readonly bucket: string;
  readonly ttlMs: number | undefined;
}

export interface FileKeyValueDeps {
  readonly files: DurableFiles;
  readonly clock: Clock;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export interface FileKeyValue extends KeyValue {
  /** Ends the watchers; resolves when the changes that were begun are on the disk. */
  close(): Promise<void>;
}

interface Stored extends KvEntry {
  /** Set when the file is damaged: how. */
  readonly damage?: string;
}

const REVISION_FILE = ".revision";
const NEWLINE = 0x0a;

/** Rejects with KN_UNAVAILABLE when the folder cannot be read. */
export async function openFileKeyValue(options: FileKeyValueOptions, deps: FileKeyValueDeps): Promise<FileKeyValue> {
  const { folder, bucket, ttlMs } = options;
  const { files, clock, assertOpen } = deps;
  const entries = new Map<string, Stored>();
  const watchers = new Set<{
    readonly matches: (key: string) => boolean;
    readonly push: (change: KvChange) => void;
    readonly end: () => void;
  }>();

  const isExpired = ({ writtenMs }: Stored): boolean => ttlMs !== undefined && clock.wallTimeMs() - writtenMs >= ttlMs;
  const present = (key: string): Stored | undefined => {
    const stored = entries.get(key);
    return stored === undefined || isExpired(stored) ? undefined : stored;
  };

  let revision = parseRevision(await files.read(folder, REVISION_FILE));
  for (const key of await files.list(folder)) {
    const stored = parseRecord(key, (await files.read(folder, key)) ?? new Uint8Array(0));
    revision = Math.max(revision, stored.revision);
    entries.set(key, stored);
  }

  let tail: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(change: () => Promise<T>): Promise<T> => {
    const done = tail.then(change);
    tail = done.catch(() => undefined);
    return done;
  };

  const notify = (key: string, change: KvChange): void => {
    for (const watcher of watchers) if (watcher.matches(key)) watcher.push(change);
  };

  const write = async (key: string, value: Uint8Array): Promise<number> => {
    // Counted before the write: a revision whose fate is unknown after an error is not given to another value.
    revision += 1;
    const stored: Stored = { key, value, revision, writtenMs: clock.wallTimeMs() };
    await files.write(folder, key, [encodeHead(stored), value]);
    entries.set(key, stored);
    notify(key, { kind: "put", entry: copyOf(stored) });
    return stored.revision;
  };

  const remove = async (key: string): Promise<void> => {
    revision += 1;
    const removed = revision;
    await files.write(folder, REVISION_FILE, [new TextEncoder().encode(String(removed))]);
    await files.remove(folder, key);
    entries.delete(key);
    notify(key, { kind: "delete", key, revision: removed });
  };

  /** Checks, copies the caller's bytes, and queues the change. */
  const set = async (key: string, value: Uint8Array, check: (found: Stored | undefined) => void): Promise<number> => {
    assertOpen(`set ${bucket}/${key}`);
    assertName(bucket, key);
    assertValueSize(bucket, key, value);
    const taken = new Uint8Array(value);
    return exclusively(() => {
      check(present(key));
      return write(key, taken);
    });
  };

  /** @throws KnowledgeNetError KN_CHECKPOINT when its file is damaged */
  const readable = (stored: Stored): KvEntry => {
    const { key, damage } = stored;
    if (damage !== undefined) throw damaged(bucket, key, "its file must be as it was written", damage);
    return copyOf(stored);
  };

  const selected = (filter: string): Stored[] => {
    const matches = compileSubjectPattern(filter);
    const keys = [...entries.keys()].filter(matches).sort();
    return keys.map(present).filter((stored) => stored !== undefined);
  };

  return {
    bucket,
    async get(key) {
      assertOpen(`get ${bucket}/${key}`);
      assertName(bucket, key);
      const stored = present(key);
      return stored === undefined ? undefined : readable(stored);
    },
    put: (key, value) => set(key, value, () => undefined),
    create: (key, value) =>
      set(key, value, (found) => {
        if (found !== undefined) throw fenced(bucket, key, "it must have no value", found.revision);
      }),
    update: (key, value, expected) =>
      set(key, value, (found) => {
        if (found?.revision !== expected)
          throw fenced(bucket, key, `its revision must be ${expected}`, found?.revision);
      }),
    async delete(key, expected) {
      assertOpen(`delete ${bucket}/${key}`);
      assertName(bucket, key);
      await exclusively(async () => {
        const found = present(key);
        if (found === undefined) return;
        if (expected !== undefined && found.revision !== expected) {
          throw fenced(bucket, key, `its revision must be ${expected}`, found.revision);
        }
        await remove(key);
      });
    },
    async entries(filter = ">") {
      assertOpen(`list ${bucket}`);
      assertFilter(bucket, filter);
      return selected(filter).map((stored) => readable(stored));
    },
    async keys(filter = ">") {
      assertOpen(`list ${bucket}`);
      assertFilter(bucket, filter);
      return selected(filter).map(({ key }) => key);
    },
    watch(filter, { signal } = {}) {
      assertOpen(`watch ${bucket}`);
      assertFilter(bucket, filter);
      return {
        [Symbol.asyncIterator]() {
          const onAbort = (): void => {
            queue.end();
          };
          const queue = createChangeQueue(() => {
            watchers.delete(watcher);
            signal?.removeEventListener("abort", onAbort);
          });
          const watcher = { matches: compileSubjectPattern(filter), push: queue.push, end: queue.end };
          for (const stored of selected(filter)) {
            if (stored.damage === undefined) queue.push({ kind: "put", entry: copyOf(stored) });
          }
          watchers.add(watcher);
          signal?.addEventListener("abort", onAbort, { once: true });
          if (signal?.aborted === true) queue.end();
          return queue.iterator;
        },
      };
    },
    async close() {
      for (const watcher of [...watchers]) watcher.end();
      await tail;
    },
  };
}

function copyOf({ key, value, revision, writtenMs }: Stored): KvEntry {
  return { key, value: new Uint8Array(value), revision, writtenMs };
}

function encodeHead({ revision, writtenMs, value }: Stored): Uint8Array {
  return new TextEncoder().encode(`KN1 ${revision} ${writtenMs} ${sha256(value)}\n`);
}

/** A damaged record keeps its place: its key has a value, which cannot be read. */
function parseRecord(key: string, bytes: Uint8Array): Stored {
  const end = bytes.indexOf(NEWLINE);
  const head = /^KN1 (\d+) (\d+) ([0-9a-f]{64})$/.exec(new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))));
  if (head === null)
    return {
      key,
      value: new Uint8Array(0),
      revision: 0,
      writtenMs: Number.MAX_SAFE_INTEGER,
      damage: "no legible head",
    };
  const value = new Uint8Array(bytes.subarray(end + 1));
  const stored: Stored = { key, value, revision: Number(head[1]), writtenMs: Number(head[2]) };
  return sha256(value) === head[3] ? stored : { ...stored, damage: "another digest" };
}

function parseRevision(bytes: Uint8Array | undefined): number {
  const revision = Number(new TextDecoder().decode(bytes));
  return Number.isSafeInteger(revision) ? revision : 0;
}
