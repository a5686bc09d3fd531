/**
 * Records on disk: one sparse file per shelf, record `id` at `id * (4 + recordBytes)`, each behind its checksum. So a hole,
 * a torn write and a foreign byte all read as "not there", nothing has to be written down at the end, and processes of one
 * machine may share the folder.
 *
 * The budget: shelves that nobody has used for a while give way, the longest unused first. While all are in use nothing
 * more is taken in. (Least recently used, record by record, would keep nothing at all of a set that is visited in rounds
 * and is a little too large.)
 */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { RecordCache, Shelf, ShelfOptions } from "./record-cache.ts";

export interface FileRecordCacheOptions {
  readonly directory: string;
  /** Disk that all shelves together may take, bytes. */
  readonly budgetBytes: number;
}

export interface FileRecordCacheDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

const CHECKSUM_BYTES = 4;
/** As stat counts. */
const BLOCK_BYTES = 512;
/** A shelf says so often that it is in use, ms; and is, to the others, for twice as long. */
const TOUCH_EVERY_MS = 10_000;
/** What other processes have written is counted again so often, ms. */
const COUNT_EVERY_MS = 5_000;
const SHELF_FILE = /^[0-9a-f]{32}\.shelf$/;

interface OpenShelf {
  readonly path: string;
  readonly file: FileHandle;
  readonly shelf: Shelf;
}

export function createFileRecordCache(options: FileRecordCacheOptions, deps: FileRecordCacheDeps): RecordCache {
  const { directory, budgetBytes } = options;
  const { clock, log } = deps;
  const opened = new Map<string, Promise<OpenShelf>>();
  let used = 0;
  let countedMs = -Infinity;

  const unavailable = (attempt: string, error: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt,
      rule: "the cache's folder must be readable and writable",
      value: error instanceof Error ? error.message : String(error),
      remedy: "name another folder (cache.directory, KN_CACHE), or none: cache.budgetMiB: 0",
      cause: error,
    });

  const list = async (): Promise<{ path: string; bytes: number; usedMs: number }[]> => {
    const names = (await readdir(directory).catch(() => [])).filter((name) => SHELF_FILE.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(directory, name);
        const info = await stat(path).catch(() => undefined);
        return info === undefined ? [] : [{ path, bytes: info.blocks * BLOCK_BYTES, usedMs: info.mtimeMs }];
      }),
    );
    return found.flat();
  };

  /** Counts what is there, and lets idle shelves go until there is room for `wanted` more. */
  const makeRoom = async (wanted: number): Promise<boolean> => {
    if (used + wanted <= budgetBytes && clock.now() - countedMs < COUNT_EVERY_MS) return true;
    const shelves = await list();
    used = shelves.reduce((sum, { bytes }) => sum + bytes, 0);
    countedMs = clock.now();
    const idle = shelves
      .filter(({ usedMs }) => clock.wallTimeMs() - usedMs > 2 * TOUCH_EVERY_MS)
      .sort((a, b) => a.usedMs - b.usedMs);
    for (const { path, bytes } of idle) {
      if (used + wanted <= budgetBytes) break;
      const holder = opened.get(path);
      opened.delete(path);
      await rm(path, { force: true });
      // Its room is free once nobody holds it open; who still has the shelf in hand finds nothing on it.
      await holder?.then(({ file }) => file.close()).catch(() => undefined);
      used -= bytes;
      log.info({ path, bytes }, "cache: an idle shelf gave way");
    }
    return used + wanted <= budgetBytes;
  };

  const openShelf = async (path: string, { key, recordBytes }: ShelfOptions): Promise<OpenShelf> => {
    let file: FileHandle;
    try {
      await mkdir(directory, { recursive: true });
      file = await open(path, "r+").catch(() => open(path, "wx+").catch(() => open(path, "r+")));
      await writeFile(`${path}.key`, `${key}\n`); // for a reader: what this is
    } catch (error) {
      throw unavailable(`open the cache in ${directory}`, error);
    }
    const slotBytes = CHECKSUM_BYTES + recordBytes;
    let touchedMs = -Infinity;
    const touch = async (): Promise<void> => {
      if (clock.now() - touchedMs < TOUCH_EVERY_MS) return;
      touchedMs = clock.now();
      const now = clock.wallTimeMs() / 1000;
      await utimes(path, now, now).catch(() => undefined);
    };

    const shelf: Shelf = {
      async read(ids, target) {
        await touch();
        return Promise.all(
          ids.map(async (id, index) => {
            const slot = new Uint8Array(slotBytes);
            const { bytesRead } = await file.read(slot, 0, slotBytes, id * slotBytes).catch(() => ({ bytesRead: 0 }));
            if (bytesRead < slotBytes) return false;
            const record = slot.subarray(CHECKSUM_BYTES);
            if (checksumOf(record) !== new DataView(slot.buffer).getUint32(0)) return false;
            target.set(record, index * recordBytes);
            return true;
          }),
        );
      },
      async write(ids, source, wanted) {
        const count = wanted.filter(Boolean).length;
        if (count === 0) return 0;
        await touch();
        if (!(await makeRoom(count * slotBytes).catch(() => false))) return count;
        const kept = await Promise.all(
          ids.map(async (id, index) => {
            if (wanted[index] !== true) return true;
            const record = source.subarray(index * recordBytes, (index + 1) * recordBytes);
            const slot = new Uint8Array(slotBytes);
            new DataView(slot.buffer).setUint32(0, checksumOf(record));
            slot.set(record, CHECKSUM_BYTES);
            return file.write(slot, 0, slotBytes, id * slotBytes).then(
              () => true,
              () => false,
            );
          }),
        );
        const refused = kept.filter((isKept) => !isKept).length;
        if (refused > 0) log.warn({ path, refused }, "cache: records not written");
        used += (count - refused) * slotBytes;
        return refused;
      },
    };
    return { path, file, shelf };
  };

  const close = async (): Promise<void> => {
    const shelves = await Promise.allSettled(opened.values());
    opened.clear();
    for (const each of shelves) if (each.status === "fulfilled") await each.value.file.close();
  };

  return {
    async shelf(of) {
      const name = createHash("sha256").update(`${of.key}\n${of.recordBytes}`).digest("hex").slice(0, 32);
      const path = join(directory, `${name}.shelf`);
      let opening = opened.get(path);
      if (opening === undefined) {
        opening = openShelf(path, of);
        opened.set(path, opening);
        opening.catch(() => opened.delete(path));
      }
      return (await opening).shelf;
    },
    async usedBytes() {
      return (await list()).reduce((sum, { bytes }) => sum + bytes, 0);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Never 0, which is what a hole reads as. */
function checksumOf(record: Uint8Array): number {
  return crc32(record) || 1;
}
