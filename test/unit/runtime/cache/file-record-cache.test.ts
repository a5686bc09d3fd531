import { randomBytes } from "node:crypto";
import { open, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFileRecordCache, type RecordCache } from "../../../../src/runtime/cache/index.ts";
import { type SimulatedClock, simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

/** Whole blocks of the disk, so that what is counted is what was written. */
const RECORD_BYTES = 4096 - 4;
const SLOT_BYTES = 4096;

function cacheIn(directory: string, budgetBytes = 2 ** 30, clock: SimulatedClock = simulatedClock()): RecordCache {
  return createFileRecordCache({ directory, budgetBytes }, { clock, log: silentLogger });
}

const recordsOf = (count: number): Uint8Array => new Uint8Array(randomBytes(count * RECORD_BYTES));
const all = (ids: readonly number[]): boolean[] => ids.map(() => true);

describe("createFileRecordCache", () => {
  it("gives back what was put, bit for bit, in any order, in another process's hands too", async () => {
    await using folder = await temporaryFolder();
    const ids = [5, 0, 1000];
    const source = recordsOf(3);
    await using first = cacheIn(folder.path);
    await using second = cacheIn(folder.path);
    const written = await first.partition({ key: "k", recordBytes: RECORD_BYTES });
    expect(await written.write(ids, source, all(ids))).toBe(0);
    const target = new Uint8Array(4 * RECORD_BYTES);
    const read = await second.partition({ key: "k", recordBytes: RECORD_BYTES });
    expect(await read.read([1000, 7, 5, 0], target)).toEqual([true, false, true, true]);
    const row = (bytes: Uint8Array, index: number) => bytes.slice(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
    expect(row(target, 0)).toEqual(row(source, 2));
    expect(row(target, 1)).toEqual(new Uint8Array(RECORD_BYTES));
    expect(row(target, 2)).toEqual(row(source, 0));
    expect(row(target, 3)).toEqual(row(source, 1));
  });

  it("tells keys and sizes apart, and puts only the records that are wanted", async () => {
    await using folder = await temporaryFolder();
    await using cache = cacheIn(folder.path);
    const partition = await cache.partition({ key: "k", recordBytes: RECORD_BYTES });
    expect(await partition.write([1, 2], recordsOf(2), [true, false])).toBe(0);
    const target = new Uint8Array(2 * RECORD_BYTES);
    expect(await partition.read([1, 2], target)).toEqual([true, false]);
    const others = [
      { key: "other", recordBytes: RECORD_BYTES },
      { key: "k", recordBytes: RECORD_BYTES - 1 },
    ];
    for (const of of others) expect(await (await cache.partition(of)).read([1, 2], target)).toEqual([false, false]);
  });

  it("a foreign byte, a torn end and a hole are not there", async () => {
    await using folder = await temporaryFolder();
    await using cache = cacheIn(folder.path);
    const partition = await cache.partition({ key: "k", recordBytes: RECORD_BYTES });
    const ids = [0, 1, 3];
    await partition.write(ids, recordsOf(3), all(ids));
    const [name = ""] = (await readdir(folder.path)).filter((each) => each.endsWith(".shelf"));
    const file = await open(join(folder.path, name), "r+");
    await file.write(Uint8Array.of(0xff, 0x00), 0, 2, SLOT_BYTES + 100);
    await file.truncate(4 * SLOT_BYTES - 1);
    await file.close();
    const target = new Uint8Array(4 * RECORD_BYTES);
    expect(await partition.read([0, 1, 2, 3], target)).toEqual([true, false, false, false]);
  });

  it("takes in nothing more than the budget while all partitions are in use; an idle one is evicted", async () => {
    await using folder = await temporaryFolder();
    const clock = simulatedClock({ wallTimeMs: Date.now() });
    await using cache = cacheIn(folder.path, 10 * SLOT_BYTES, clock);
    const ids = Array.from({ length: 8 }, (_, index) => index);
    const target = new Uint8Array(8 * RECORD_BYTES);
    const old = await cache.partition({ key: "old", recordBytes: RECORD_BYTES });
    expect(await old.write(ids, recordsOf(8), all(ids))).toBe(0);
    const young = await cache.partition({ key: "young", recordBytes: RECORD_BYTES });
    await clock.advance(6_000);
    expect(await young.write(ids, recordsOf(8), all(ids))).toBe(8);
    expect(await old.read(ids, target)).toEqual(all(ids));

    await clock.advance(60_000);
    expect(await young.write(ids, recordsOf(8), all(ids))).toBe(0);
    expect(await young.read(ids, target)).toEqual(all(ids));
    expect(await cache.usedBytes()).toBeLessThanOrEqual(10 * SLOT_BYTES);
    // Opened again it is empty; the handle on the old one finds nothing.
    expect(await old.read(ids, target)).toEqual(ids.map(() => false));
    const again = await cache.partition({ key: "old", recordBytes: RECORD_BYTES });
    expect(await again.read(ids, target)).toEqual(ids.map(() => false));
  });

  it("an evicted partition leaves no file, nor does a description whose partition is gone", async () => {
    await using folder = await temporaryFolder();
    const clock = simulatedClock({ wallTimeMs: Date.now() });
    await using cache = cacheIn(folder.path, 10 * SLOT_BYTES, clock);
    const ids = Array.from({ length: 8 }, (_, index) => index);
    const old = await cache.partition({ key: "old", recordBytes: RECORD_BYTES });
    await old.write(ids, recordsOf(8), all(ids));
    const before = await readdir(folder.path);
    await writeFile(join(folder.path, `${"0".repeat(32)}.shelf.key`), "of a partition that is gone\n");
    const young = await cache.partition({ key: "young", recordBytes: RECORD_BYTES });
    await clock.advance(60_000);
    expect(await young.write(ids, recordsOf(8), all(ids))).toBe(0);
    const after = await readdir(folder.path);
    expect(before).toHaveLength(2);
    expect(after).toHaveLength(2);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
  });

  it("refuses a folder that cannot be written with KN_UNAVAILABLE", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "file");
    await writeFile(file, "");
    await using cache = cacheIn(file);
    await expect(cache.partition({ key: "k", recordBytes: 8 })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect((await stat(file)).isFile()).toBe(true);
  });
});
