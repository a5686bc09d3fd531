import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../../src/data/index.ts";
import { randomFrom } from "../../support/random.ts";

interface References {
  readonly files: Readonly<
    Record<string, { readonly height: number; readonly width: number } & Record<"jpeg" | "colour" | "grey", string>>
  >;
  readonly cmyk: string;
}
/** Written by scripts/jpeg-references.py: JPEG files, and their pixels by Pillow. */
const references = JSON.parse(await readFile(new URL("./jpeg-references.json", import.meta.url), "utf8")) as References;
const bytesOf = (base64: string | undefined): Uint8Array => Uint8Array.from(Buffer.from(base64 ?? "", "base64"));
const grey = references.files["grey"];
const progressive = references.files["colour 4:2:0, progressive"];

describe("decodeImage of JPEG files", () => {
  it.each(Object.entries(references.files))("reads the pixels that Pillow reads: %s", async (file, reference) => {
    const { height, width } = reference;
    const colour = await decodeImage(bytesOf(reference.jpeg), { file, channels: 3 });
    expect(colour).toEqual({ height, width, channels: 3, values: bytesOf(reference.colour) });
    const { values } = await decodeImage(bytesOf(reference.jpeg), { file, channels: 1 });
    const expected = bytesOf(reference.grey);
    // Pillow computes luma in integers.
    expect(Math.max(...values.map((sample, index) => Math.abs(sample - (expected[index] ?? NaN))))).toBeLessThan(2);
  });

  it("refuses four colours, bytes of no file, and a file that ends early", async () => {
    const whole = bytesOf(grey?.jpeg);
    for (const bytes of [bytesOf(references.cmyk), whole.subarray(0, 3), whole.subarray(0, 200)]) {
      await expect(decodeImage(bytes, { file: "a.jpg", channels: 3 })).rejects.toMatchObject({ code: "KN_CONFIG" });
    }
  });

  it("refuses an image of too many pixels by its header", async () => {
    const huge = bytesOf(grey?.jpeg);
    const frame = huge.findIndex((byte, index) => byte === 0xff && huge[index + 1] === 0xc0);
    huge.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await expect(decodeImage(huge, { file: "a.jpg", channels: 1 })).rejects.toThrow(
      /at most 1048576 pixels.*65535 x 65535/,
    );
  });

  it("refuses a progressive image of a thousand scans", async () => {
    const whole = bytesOf(progressive?.jpeg);
    const scan = Uint8Array.from([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0]);
    const bytes = Buffer.concat([whole.subarray(0, -2), ...Array.from({ length: 1000 }, () => scan), whole.slice(-2)]);
    await expect(decodeImage(bytes, { file: "a.jpg", channels: 3 })).rejects.toThrow(/at most 64 scans/);
  });

  it("reads the same pixels between any damaged files, in flat memory", async () => {
    const random = randomFrom(7);
    const files = Object.values(references.files).map(({ jpeg }) => bytesOf(jpeg));
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 300; round += 1) {
      const damaged = (files[round % files.length] ?? new Uint8Array(0)).slice();
      for (let change = 0; change < 3; change += 1) {
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      }
      await decodeImage(damaged, { file: "a.jpg", channels: 3, maxPixels: 65_536 }).then(
        () => (outcomes.read += 1),
        (error: unknown) => {
          expect(error).toMatchObject({ code: "KN_CONFIG" });
          outcomes.refused += 1;
        },
      );
      if (round % 20 > 0) continue;
      const { values } = await decodeImage(bytesOf(progressive?.jpeg), { file: "b.jpg", channels: 3 });
      expect(values).toEqual(bytesOf(progressive?.colour));
    }
    expect(outcomes.read).toBeGreaterThan(20);
    expect(outcomes.refused).toBeGreaterThan(20);
  });
});
