/**
 * Records on disk: one sparse file per partition, record `id` at `id * (4 + recordBytes)`, each behind its checksum. A hole,
 * a torn write and a foreign byte read as absent, nothing needs to be flushed at the end, and processes of one machine may
 * share the folder. Beside each partition lies its key in plain text, for people.
 *
 * The budget: idle partitions are evicted, the longest unused first. While all are in use nothing more is written. (Least
 * recently used, record by record, would keep nothing at all of a set that is visited in rounds and is a little too large.)
 */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { CachePartition, PartitionOptions, RecordCache } from "./record-cache.ts";

export interface FileRecordCacheOptions {
  readonly directory: string;
  /** Disk that all partitions together may take, bytes. */
  readonly budgetBytes: number;
}

export interface FileRecordCacheDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

const CHECKSUM_BYTES = 4;
/** Unit of `blocks` in stat. */
const BLOCK_BYTES = 512;
/** A partition in use updates its file's time this often, ms; one that is older than twice that is idle. */
const TOUCH_EVERY_MS = 10_000;
/** The folder is counted again this often, ms: other processes write to it. */
const COUNT_EVERY_MS = 5_000;
const PARTITION_FILE = /^[0-9a-f]{32}\.shelf$/;
const KEY_SUFFIX = ".key";

interface OpenPartition {
  readonly path: string;
  readonly file: FileHandle;
  readonly partition: CachePartition;
}

export function createFileRecordCache(options: FileRecordCacheOptions, deps: FileRecordCacheDeps): RecordCache {
  const { directory, budgetBytes } = options;
  const { clock, log } = deps;
  const opened = new Map<string, Promise<OpenPartition>>();
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

  const fileNames = (): Promise<string[]> => readdir(directory).catch(() => []);

  const list = async (): Promise<{ path: string; bytes: number; usedMs: number }[]> => {
    const names = (await fileNames()).filter((name) => PARTITION_FILE.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(directory, name);
        const info = await stat(path).catch(() => undefined);
        return info === undefined ? [] : [{ path, bytes: info.blocks * BLOCK_BYTES, usedMs: info.mtimeMs }];
      }),
    );
    return found.flat();
  };

  const evict = async (path: string): Promise<void> => {
    const holder = opened.get(path);
    opened.delete(path);
    await rm(path, { force: true });
    await rm(`${path}${KEY_SUFFIX}`, { force: true });
    // The disk is free once the file is closed; reads through a handle that is still in use find nothing.
    await holder?.then(({ file }) => file.close()).catch(() => undefined);
  };

  /** Keys whose partition another process evicted, or an earlier version, which left them behind. */
  const removeOrphanedKeys = async (): Promise<void> => {
    const names = new Set(await fileNames());
    const orphans = [...names].filter((name) => {
      const partition = name.slice(0, -KEY_SUFFIX.length);
      return name.endsWith(KEY_SUFFIX) && PARTITION_FILE.test(partition) && !names.has(partition);
    });
    await Promise.all(orphans.map((name) => rm(join(directory, name), { force: true })));
  };

  /** Counts the folder, and evicts idle partitions until there is room for `wanted` bytes more. */
  const makeRoom = async (wanted: number): Promise<boolean> => {
    if (used + wanted <= budgetBytes && clock.now() - countedMs < COUNT_EVERY_MS) return true;
    const partitions = await list();
    used = partitions.reduce((sum, { bytes }) => sum + bytes, 0);
    countedMs = clock.now();
    const idle = partitions
      .filter(({ usedMs }) => clock.wallTimeMs() - usedMs > 2 * TOUCH_EVERY_MS)
      .sort((a, b) => a.usedMs - b.usedMs);
    for (const { path, bytes } of idle) {
      if (used + wanted <= budgetBytes) break;
      await evict(path);
      used -= bytes;
      log.info({ path, bytes }, "cache: idle partition evicted");
    }
    await removeOrphanedKeys();
    return used + wanted <= budgetBytes;
  };

  const openPartition = async (path: string, { key, recordBytes }: PartitionOptions): Promise<OpenPartition> => {
    let file: FileHandle;
    try {
      await mkdir(directory, { recursive: true });
      file = await open(path, "r+").catch(() => open(path, "wx+").catch(() => open(path, "r+")));
      await writeFile(`${path}${KEY_SUFFIX}`, `${key}\n`);
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

    const partition: CachePartition = {
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
    return { path, file, partition };
  };

  const close = async (): Promise<void> => {
    const partitions = await Promise.allSettled(opened.values());
    opened.clear();
    for (const each of partitions) if (each.status === "fulfilled") await each.value.file.close();
  };

  return {
    async partition(of) {
      const name = createHash("sha256").update(`${of.key}\n${of.recordBytes}`).digest("hex").slice(0, 32);
      const path = join(directory, `${name}.shelf`);
      let opening = opened.get(path);
      if (opening === undefined) {
        opening = openPartition(path, of);
        opened.set(path, opening);
        opening.catch(() => opened.delete(path));
      }
      return (await opening).partition;
    },
    async usedBytes() {
      return (await list()).reduce((sum, { bytes }) => sum + bytes, 0);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Never 0: a hole reads as 0. */
function checksumOf(record: Uint8Array): number {
  return crc32(record) || 1;
}
