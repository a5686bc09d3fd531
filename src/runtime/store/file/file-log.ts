/**
 * A log in one file: entry after entry, each with its length (4 bytes), position (8 bytes, big-endian) and the SHA-256 of
 * both and the data. An entry at the end that a crash cut short is not there, and the next append takes its place.
 */
import { createHash } from "node:crypto";
import { assertValueSize } from "../keys.ts";
import type { Log, LogEntry } from "../store.ts";
import type { DurableFiles } from "./durable-files.ts";

const LENGTH_BYTES = 4;
const POSITION_END = LENGTH_BYTES + 8;
const DIGEST_BYTES = 32;
const HEAD_BYTES = POSITION_END + DIGEST_BYTES;

export interface FileLogDeps {
  readonly files: DurableFiles;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export interface FileLog extends Omit<Log, "append"> {
  /** @param maxEntries see `LogOptions` */
  append(data: Uint8Array, maxEntries: number | undefined): Promise<number>;
  /** Deletes all entries. */
  remove(): Promise<void>;
  /** Resolves when the appends that were begun are on the disk. */
  close(): Promise<void>;
}

/** Rejects with KN_UNAVAILABLE when the file cannot be read. */
export async function openFileLog(folder: string, name: string, { files, assertOpen }: FileLogDeps): Promise<FileLog> {
  const contents = async (): Promise<Contents> => parse((await files.read(folder, name)) ?? new Uint8Array(0));

  const found = await contents();
  let { endBytes } = found;
  let count = found.entries.length;
  let lastPosition = found.entries.at(-1)?.position ?? 0;

  let tail: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(change: () => Promise<T>): Promise<T> => {
    const done = tail.then(change);
    tail = done.catch(() => undefined);
    return done;
  };

  const keep = async (entries: readonly LogEntry[]): Promise<void> => {
    const parts = entries.map(encode);
    await files.write(folder, name, parts);
    count = entries.length;
    endBytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  };

  return {
    name,
    async append(data, maxEntries) {
      assertOpen(`append to ${name}`);
      assertValueSize("log", name, data);
      const taken = new Uint8Array(data);
      return exclusively(async () => {
        // Counted before the write: the position of a failed append is not given to another entry.
        lastPosition += 1;
        const entry = { position: lastPosition, data: taken };
        const bytes = encode(entry);
        await files.writeEnd(folder, name, endBytes, bytes);
        endBytes += bytes.byteLength;
        count += 1;
        if (maxEntries !== undefined && count > 2 * maxEntries) {
          await keep((await contents()).entries.slice(-maxEntries));
        }
        return entry.position;
      });
    },
    read({ from = 0 } = {}) {
      assertOpen(`read ${name}`);
      const last = lastPosition;
      return {
        async *[Symbol.asyncIterator]() {
          await tail;
          for (const entry of (await contents()).entries) {
            assertOpen(`read ${name}`);
            if (entry.position >= from && entry.position <= last) yield entry;
          }
        },
      };
    },
    async removeBefore(position) {
      assertOpen(`remove entries of ${name}`);
      await exclusively(async () => {
        const { entries } = await contents();
        const kept = entries.filter((entry, index) => entry.position >= position || index === entries.length - 1);
        if (kept.length < entries.length) await keep(kept);
      });
    },
    remove: () =>
      exclusively(async () => {
        await files.remove(folder, name);
        endBytes = 0;
        count = 0;
      }),
    async close() {
      await tail;
    },
  };
}

interface Contents {
  readonly entries: LogEntry[];
  /** End of the last whole entry. */
  readonly endBytes: number;
}

function encode({ position, data }: LogEntry): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.byteLength);
  view.setBigUint64(LENGTH_BYTES, BigInt(position));
  bytes.set(data, HEAD_BYTES);
  bytes.set(digestOf(bytes.subarray(0, POSITION_END), data), POSITION_END);
  return bytes;
}

/** Leaves out an entry whose bytes were changed. */
function parse(bytes: Uint8Array): Contents {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: LogEntry[] = [];
  let endBytes = 0;
  let at = 0;
  while (at + HEAD_BYTES <= bytes.byteLength) {
    const end = at + HEAD_BYTES + view.getUint32(at);
    if (end > bytes.byteLength) break;
    const data = new Uint8Array(bytes.subarray(at + HEAD_BYTES, end));
    const digest = bytes.subarray(at + POSITION_END, at + HEAD_BYTES);
    if (digestOf(bytes.subarray(at, at + POSITION_END), data).equals(digest)) {
      entries.push({ position: Number(view.getBigUint64(at + LENGTH_BYTES)), data });
      endBytes = end;
    }
    at = end;
  }
  return { entries, endBytes };
}

function digestOf(head: Uint8Array, data: Uint8Array): Buffer {
  return createHash("sha256").update(head).update(data).digest();
}
