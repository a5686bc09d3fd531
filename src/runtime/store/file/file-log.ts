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
  const content = async (): Promise<Uint8Array> => (await files.read(folder, name)) ?? new Uint8Array(0);

  // A crash tears the end only: the rest is not verified before it is read, however long the log is.
  const found = await content();
  const places = placesIn(found);
  while (places.length > 0 && !isWhole(found, places.at(-1))) places.pop();
  let endBytes = places.at(-1)?.end ?? 0;
  let count = places.length;
  let lastPosition = places.at(-1)?.position ?? 0;

  let tail: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(change: () => Promise<T>): Promise<T> => {
    const done = tail.then(change);
    tail = done.catch(() => undefined);
    return done;
  };

  /** Rewrites the file with the entries that `isKept` names, and no damaged ones. */
  const keep = async (isKept: (place: EntryPlace, index: number, entries: number) => boolean): Promise<void> => {
    const bytes = await content();
    const all = placesIn(bytes).filter((place) => place.end <= endBytes);
    const kept = all.filter((place, index) => isKept(place, index, all.length) && isWhole(bytes, place));
    if (kept.length === all.length) return;
    await files.write(
      folder,
      name,
      kept.map(({ at, end }) => bytes.subarray(at, end)),
    );
    count = kept.length;
    endBytes = kept.reduce((sum, { at, end }) => sum + end - at, 0);
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
        const bytes = encode({ position: lastPosition, data: taken });
        await files.writeEnd(folder, name, endBytes, bytes);
        endBytes += bytes.byteLength;
        count += 1;
        const position = lastPosition;
        if (maxEntries !== undefined && count > 2 * maxEntries) {
          await keep((_place, index, entries) => index >= entries - maxEntries);
        }
        return position;
      });
    },
    read({ from = 0 } = {}) {
      assertOpen(`read ${name}`);
      const last = lastPosition;
      return {
        async *[Symbol.asyncIterator]() {
          await tail;
          const bytes = await content();
          for (const place of placesIn(bytes)) {
            assertOpen(`read ${name}`);
            if (place.position < from || place.position > last || !isWhole(bytes, place)) continue;
            yield { position: place.position, data: new Uint8Array(bytes.subarray(place.at + HEAD_BYTES, place.end)) };
          }
        },
      };
    },
    async removeBefore(position) {
      assertOpen(`remove entries of ${name}`);
      await exclusively(() => keep((place, index, entries) => place.position >= position || index === entries - 1));
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

/** Where an entry is in the file, by its length. Whether it is whole its digest tells. */
interface EntryPlace {
  readonly position: number;
  readonly at: number;
  readonly end: number;
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

function placesIn(bytes: Uint8Array): EntryPlace[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places: EntryPlace[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.byteLength; ) {
    const end = at + HEAD_BYTES + view.getUint32(at);
    if (end > bytes.byteLength) break;
    places.push({ position: Number(view.getBigUint64(at + LENGTH_BYTES)), at, end });
    at = end;
  }
  return places;
}

/** False for an entry whose bytes were changed, or not all written. */
function isWhole(bytes: Uint8Array, place: EntryPlace | undefined): boolean {
  if (place === undefined) return false;
  const { at, end } = place;
  const digest = digestOf(bytes.subarray(at, at + POSITION_END), bytes.subarray(at + HEAD_BYTES, end));
  return digest.equals(bytes.subarray(at + POSITION_END, at + HEAD_BYTES));
}

function digestOf(head: Uint8Array, data: Uint8Array): Buffer {
  return createHash("sha256").update(head).update(data).digest();
}
