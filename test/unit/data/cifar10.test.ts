import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { loadCifarFiles } from "../../../src/data/cifar10.ts";
import { createDataset, loadCifar10, readCifar10 } from "../../../src/data/index.ts";

const RECORD = 3073;

/** Records whose pixel (y, x) has red y, green x and blue the record's number. */
function records(count: number): Uint8Array {
  const bytes = new Uint8Array(count * RECORD);
  for (let record = 0; record < count; record += 1) {
    bytes[record * RECORD] = record % 10;
    for (let pixel = 0; pixel < 1024; pixel += 1) {
      bytes[record * RECORD + 1 + pixel] = Math.floor(pixel / 32);
      bytes[record * RECORD + 1 + 1024 + pixel] = pixel % 32;
      bytes[record * RECORD + 1 + 2048 + pixel] = record;
    }
  }
  return bytes;
}

describe("readCifar10", () => {
  it("turns planes into pixels and takes the label from the front", () => {
    const { samples, labels } = readCifar10(records(3));
    expect([...labels]).toEqual([0, 1, 2]);
    const pixel = (record: number, y: number, x: number): number[] =>
      Array.from(samples.slice(((record * 32 + y) * 32 + x) * 3, ((record * 32 + y) * 32 + x) * 3 + 3));
    expect(pixel(0, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(1, 5, 9)).toEqual([5, 9, 1]);
    expect(pixel(2, 31, 30)).toEqual([31, 30, 2]);
  });
});

describe("loadCifar10", () => {
  const load = (content: (name: string) => Uint8Array | undefined) =>
    loadCifar10({ directory: "somewhere", readFile: (_, name) => Promise.resolve(content(name)) });

  it("refuses a folder without its files with KN_CONFIG that names file, place, digest and remedy", async () => {
    const loading = load(() => undefined);
    await expect(loading).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(loading).rejects.toThrow(
      /data_batch_1\.bin.*SHA-256 cee916563c9f80d8.*into somewhere.*--data or KN_DATA/,
    );
  });

  it("refuses a truncated file with KN_CONFIG", async () => {
    await expect(load(() => records(3).slice(0, -1))).rejects.toThrow(
      /KN_CONFIG.*whole records of 3073 bytes.*9218 bytes/,
    );
    await expect(load(() => records(3))).rejects.toThrow(/KN_CONFIG.*10000 whole records/);
  });

  it("refuses whole files of other content with KN_CONFIG that shows both digests", async () => {
    const other = records(10_000);
    const digest = createHash("sha256").update(other).digest("hex");
    await expect(load(() => other)).rejects.toThrow(new RegExp(`KN_CONFIG.*cee916563c9f80d8.*${digest}`));
  });
});

/** Small files in place of the originals, each known by its digest. */
describe("loadCifarFiles", () => {
  const content = (tag: number, count: number): Uint8Array => {
    const bytes = records(count);
    for (let record = 0; record < count; record += 1) bytes[record * RECORD + 1] = tag;
    return bytes;
  };
  const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const training = [1, 2, 3].map((tag) => ({ name: `t${tag}`, sha256: digestOf(content(tag, 4)), records: 4 }));
  const known = {
    training,
    required: 2,
    test: { name: "test", sha256: digestOf(content(9, 1)), records: 1 },
  };
  const folder = (changes: Readonly<Record<string, Uint8Array | undefined>> = {}) => {
    const files: Readonly<Record<string, Uint8Array | undefined>> = {
      t1: content(1, 4),
      t2: content(2, 4),
      t3: content(3, 4),
      test: content(9, 1),
      ...changes,
    };
    return { directory: "d", readFile: (_: string, name: string) => Promise.resolve(files[name]) };
  };

  it("reads every training file, and does without those that are not required", async () => {
    expect((await loadCifarFiles(known, folder())).train.count).toBe(12);
    expect((await loadCifarFiles(known, folder({ t3: undefined }))).train.count).toBe(8);
    await expect(loadCifarFiles(known, folder({ t2: undefined }))).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("refuses a file that is there and not the original, required or not", async () => {
    await expect(loadCifarFiles(known, folder({ t3: content(7, 4) }))).rejects.toMatchObject({ code: "KN_CONFIG" });
    const longer = content(3, 5);
    await expect(loadCifarFiles(known, folder({ t3: longer }))).rejects.toThrow(/4 whole records/);
  });

  it("`records` gives the same data whether the files beyond them are there or not", async () => {
    const all = await loadCifarFiles(known, { ...folder(), records: 8, holdout: 2 });
    const without = await loadCifarFiles(known, { ...folder({ t3: undefined }), records: 8, holdout: 2 });
    expect(all.train.count).toBe(6);
    expect(all.fingerprint).toBe(without.fingerprint);
    expect(all.test.idOf(0)).toBe(without.test.idOf(0));
    expect(all.validation.batch([0, 1])).toEqual(without.validation.batch([0, 1]));
  });

  it("the fingerprint follows the content of every file, the test file included", async () => {
    const fingerprint = async (changes = {}) => (await loadCifarFiles(known, folder(changes))).fingerprint;
    const longerTest = new Uint8Array([...content(9, 1), ...content(8, 1)]);
    const [all, again, fewer, otherTest] = [
      await fingerprint(),
      await fingerprint(),
      await fingerprint({ t3: undefined }),
      await fingerprint({ test: longerTest }),
    ];
    expect(all).toMatch(/^cifar-10 sha256:[0-9a-f]{16}$/);
    expect(again).toBe(all);
    expect(new Set([all, fewer, otherTest]).size).toBe(3);
  });
});

describe("createDataset", () => {
  const training = {
    samples: Uint8Array.from({ length: 10 }, (_, index) => index),
    labels: new Uint8Array(10).fill(3),
  };
  const testing = { samples: Uint8Array.of(100, 101), labels: Uint8Array.of(1, 2) };
  const create = (options: Parameters<typeof createDataset>[1]) =>
    createDataset({ name: "d", sampleShape: [1], classes: 10, training, testing, digests: ["f"] }, options);
  const first = (split: ReturnType<typeof create>["train"]) => split.batch([0]);

  it("holds the last training samples out, and measures on them", () => {
    const { train, validation, test } = create({ holdout: 4 });
    expect([train.count, validation.count, test.count]).toEqual([6, 4, 2]);
    expect(first(validation).samples.values[0]).toBe(6);
    expect(create({}).validation.count).toBe(2);
  });

  it("a sample keeps its id however the set is divided", () => {
    const [all, held] = [create({}), create({ holdout: 4, limit: 3 })];
    expect(all.train.idOf(7)).toBe(7);
    expect(held.train.idOf(2)).toBe(2);
    expect(held.validation.idOf(1)).toBe(7);
    expect(held.test.idOf(1)).toBe(11);
    expect(held.records).toBe(12);
  });

  it("only the first samples keep their label where only they have one", () => {
    const { train, validation } = create({ holdout: 2, labelled: 3 });
    expect([...train.batch([0, 2, 3, 7]).labels.values]).toEqual([3, 3, -1, -1]);
    expect([...validation.batch([0, 1]).labels.values]).toEqual([3, 3]);
  });

  it("`records` looks at the first training records alone: the last of these are held out", () => {
    const { train, validation, test, records: ids } = create({ records: 6, holdout: 2 });
    expect([train.count, validation.count, test.count]).toEqual([4, 2, 2]);
    expect(first(validation).samples.values[0]).toBe(4);
    expect(test.idOf(0)).toBe(6);
    expect(ids).toBe(8);
    expect(create({ records: 6 }).fingerprint).not.toBe(create({}).fingerprint); // id 6 is another sample
    expect(create({ records: 10 }).fingerprint).toBe(create({ limit: 3 }).fingerprint);
  });

  it("refuses more `records` than there are with KN_CONFIG", () => {
    expect(() => create({ records: 11 })).toThrow(/KN_CONFIG.*at most the 10 training records/);
  });

  it("refuses to hold everything out with KN_CONFIG", () => {
    expect(() => create({ holdout: 10 })).toThrow(/KN_CONFIG.*below the 10 training samples/);
  });
});
