import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { decodePng } from "../../../src/data/index.ts";

interface References {
  readonly width: number;
  readonly height: number;
  readonly files: Readonly<Record<string, Record<"png" | "black" | "white" | "blackGrey" | "whiteGrey", never>>>;
  readonly interlacedFourBits: string;
}
/** Written by scripts/png-references.py: PNG files, and their pixels by Pillow. */
const references = JSON.parse(await readFile(new URL("./png-references.json", import.meta.url), "utf8")) as References;
const { width, height } = references;
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

function largestDifference(values: Uint8Array, expected: readonly number[]): number {
  expect(values).toHaveLength(expected.length);
  return Math.max(...expected.map((sample, index) => Math.abs(sample - (values[index] ?? NaN))));
}

describe("decodePng", () => {
  it.each(Object.entries(references.files))("reads the pixels that Pillow reads: %s", (file, reference) => {
    for (const [background, colour] of [
      ["black", [0, 0, 0]],
      ["white", [255, 255, 255]],
    ] as const) {
      const options = { file, background: colour };
      const image = decodePng(bytesOf(reference.png), { ...options, channels: 3 });
      expect(image).toMatchObject({ width, height });
      // Pillow blends in integers; both round.
      expect(largestDifference(image.values, reference[background])).toBeLessThanOrEqual(1);
      const grey = decodePng(bytesOf(reference.png), { ...options, channels: 1 });
      expect(largestDifference(grey.values, reference[`${background}Grey`])).toBeLessThanOrEqual(1);
      expect(image.isTransparent).toBe(/alpha|transparent/.test(file));
    }
  });

  it("refuses an interlaced image of less than 8 bits by name", () => {
    const decode = () => decodePng(bytesOf(references.interlacedFourBits), { file: "a.png", channels: 1 });
    expect(decode).toThrow(/KN_CONFIG.*a\.png.*interlaced.*4 bits/);
  });

  it("refuses bytes that are no PNG, that end early and that were changed", () => {
    const whole = bytesOf(references.files["colour of 8 bits"]?.png ?? "");
    const changed = whole.with(45, (whole[45] ?? 0) ^ 1);
    for (const bytes of [new Uint8Array(0), Buffer.from("no image"), whole.subarray(0, 60), changed]) {
      expect(() => decodePng(bytes, { file: "a.png", channels: 3 })).toThrow(/KN_CONFIG.*readable PNG/);
    }
  });
});
