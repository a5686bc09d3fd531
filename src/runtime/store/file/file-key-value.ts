/**
 * A bucket of small records in a folder: one file per key, "KN1 <revision> <changed ms> <sha256>\n" before the value. Changes are
 * queued, so a compare-and-set sees what it compares.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../clock/index.ts";
import { matchesSubject } from "../../bus/subject-pattern.ts";
import { assertName, fenced } from "../keys.ts";
import type { KeyValue, KvChange, KvEntry, KvOptions } from "../store.ts";
import { readIfPresent, removeDurably, writeDurably } from "./durable-file.ts";

interface Stored extends KvEntry {
  readonly changedMs: number;
}

const REVISION_FILE = ".revision";

export async function openFileKeyValue(folder: string, bucket: string, { ttlMs }: KvOptions, clock: Clock): Promise<KeyValue> {
  await mkdir(folder, { recursive: true });
  const entries = new Map<string, Stored>();
  const watchers = new Set<(change: KvChange) => void>();
  let revision = Number(new TextDecoder().decode((await readIfPresent(join(folder, REVISION_FILE))) ?? new Uint8Array()) || "0");
  for (const key of await readdir(folder)) {
    if (key.startsWith(".") || key.endsWith(".partial")) continue;
    const stored = parse(key, (await readIfPresent(join(folder, key))) ?? new Uint8Array());
    if (stored === undefined) continue; // damaged: as good as absent
    entries.set(key, stored);
    revision = Math.max(revision, stored.revision);
  }

  let tail: Promise<unknown> = Promise.resolve();
  /** One change after another. */
  const exclusively = <T>(change: () => Promise<T>): Promise<T> => {
    const done = tail.then(change);
    tail = done.catch(() => undefined);
    return done;
  };

  const isExpired = ({ changedMs }: Stored): boolean => ttlMs !== undefined && clock.wallTimeMs() - changedMs >= ttlMs;
  const present = (key: string): Stored | undefined => {
    const stored = entries.get(key);
    return stored === undefined || isExpired(stored) ? undefined : stored;
  };
  const tell = (change: KvChange): void => {
    for (const watcher of watchers) watcher(change);
  };
  const nextRevision = async (): Promise<number> => {
    revision += 1;
    await writeDurably(join(folder, REVISION_FILE), [new TextEncoder().encode(String(revision))]);
    return revision;
  };

  const write = async (key: string, value: Uint8Array): Promise<number> => {
    const stored: Stored = { key, value: value.slice(), revision: await nextRevision(), changedMs: clock.wallTimeMs() };
    await writeDurably(join(folder, key), [header(stored), stored.value]);
    entries.set(key, stored);
    if (ttlMs !== undefined) expireLater(stored, ttlMs);
    tell({ kind: "put", entry: { key, value: value.slice(), revision: stored.revision } });
    return stored.revision;
  };

  const forget = async (key: string): Promise<void> => {
    entries.delete(key);
    await removeDurably(join(folder, key));
    tell({ kind: "delete", key, revision: await nextRevision() });
  };

  const expireLater = (stored: Stored, afterMs: number): void => {
    clock.setTimeout(() => {
      void exclusively(async () => {
        if (entries.get(stored.key) === stored) await forget(stored.key);
      });
    }, afterMs);
  };
  if (ttlMs !== undefined) {
    for (const stored of entries.values()) expireLater(stored, Math.max(0, ttlMs - (clock.wallTimeMs() - stored.changedMs)));
  }

  const named = (key: string): string => {
    assertName("a key", key);
    return key;
  };
  const copy = ({ key, value, revision: at }: Stored): KvEntry => ({ key, value: value.slice(), revision: at });

  return {
    bucket,
    async get(key) {
      const stored = present(named(key));
      return stored === undefined ? undefined : copy(stored);
    },
    put: async (key, value) => exclusively(() => write(named(key), value)),
    create: async (key, value) =>
      exclusively(async () => {
        const stored = present(named(key));
        if (stored !== undefined) throw fenced(bucket, key, "it must have no value", stored.revision);
        return write(key, value);
      }),
    update: async (key, value, expected) =>
      exclusively(async () => {
        const stored = present(named(key));
        if (stored?.revision !== expected) throw fenced(bucket, key, `its revision must be ${expected}`, stored?.revision);
        return write(key, value);
      }),
    delete: async (key, expected) =>
      exclusively(async () => {
        const stored = present(named(key));
        if (expected !== undefined && stored?.revision !== expected) {
          throw fenced(bucket, key, `its revision must be ${expected}`, stored?.revision);
        }
        if (stored !== undefined) await forget(key);
      }),
    async keys(filter = ">") {
      return [...entries.keys()].filter((key) => present(key) !== undefined && matchesSubject(filter, key)).sort();
    },
    watch: (filter, { signal } = {}) => watch(filter, signal),
  };

  async function* watch(filter: string, signal: AbortSignal | undefined): AsyncGenerator<KvChange> {
    const queue: KvChange[] = [];
    let wake: () => void = () => undefined;
    const watcher = (change: KvChange): void => {
      const key = change.kind === "put" ? change.entry.key : change.key;
      if (!matchesSubject(filter, key)) return;
      queue.push(change);
      wake();
    };
    const onAbort = (): void => {
      wake();
    };
    watchers.add(watcher);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      for (const key of [...entries.keys()].sort()) {
        const stored = present(key);
        if (stored !== undefined && matchesSubject(filter, key)) queue.push({ kind: "put", entry: copy(stored) });
      }
      while (signal?.aborted !== true) {
        const change = queue.shift();
        if (change !== undefined) {
          yield change;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      watchers.delete(watcher);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

function header({ revision, changedMs, value }: Stored): Uint8Array {
  const digest = createHash("sha256").update(value).digest("hex");
  return new TextEncoder().encode(`KN1 ${revision} ${changedMs} ${digest}\n`);
}

function parse(key: string, bytes: Uint8Array): Stored | undefined {
  const end = bytes.indexOf(0x0a);
  const [magic, revision, changedMs, digest] = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end))).split(" ");
  const value = bytes.slice(end + 1);
  if (magic !== "KN1" || createHash("sha256").update(value).digest("hex") !== digest) return undefined;
  return { key, value, revision: Number(revision), changedMs: Number(changedMs) };
}
