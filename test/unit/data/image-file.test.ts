import * as tf from "@tensorflow/tfjs";
import { encode } from "fast-png";
import { zlibSync } from "fflate";
import { describe, expect, it } from "vitest";
import { decodeImage, decodePng, resizeBilinear } from "../../../src/data/index.ts";
import { randomFrom } from "../../support/random.ts";

const random = randomFrom(3);
const imageOf = (height: number, width: number, channels: 1 | 3) => ({
  height,
  width,
  channels,
  values: Uint8Array.from({ length: height * width * channels }, () => Math.floor(random() * 256)),
});

function chunk(type: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** PNG specification, annex D. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function header(width: number, height: number): Uint8Array {
  const content = Buffer.alloc(13);
  content.writeUInt32BE(width);
  content.writeUInt32BE(height, 4);
  content.set([8, 0, 0, 0, 0], 8);
  return chunk("IHDR", content);
}

const SIGNATURE = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const END = chunk("IEND", new Uint8Array(0));
const pngOf = (...chunks: readonly Uint8Array[]): Uint8Array => Buffer.concat([SIGNATURE, ...chunks, END]);
const rows = (width: number, height: number): Uint8Array => zlibSync(new Uint8Array((width + 1) * height));

describe("resizeBilinear", () => {
  it.each([
    [28, 28, 28, 28, 1],
    [7, 5, 28, 28, 1],
    [33, 50, 32, 32, 3],
    [100, 64, 28, 20, 3],
    [1, 1, 8, 8, 1],
    [640, 480, 28, 28, 3],
  ] as const)("%i x %i to %i x %i equals tf.image.resizeBilinear", (height, width, toHeight, toWidth, channels) => {
    const image = imageOf(height, width, channels);
    const fitted = resizeBilinear(image, { height: toHeight, width: toWidth });
    const expected = tf.tidy(() =>
      tf.image
        .resizeBilinear(tf.tensor3d(image.values, [height, width, channels]), [toHeight, toWidth])
        .dataSync<"float32">()
        .slice(),
    );
    expect(fitted).toHaveLength(expected.length);
    expect(Math.max(...fitted.map((sample, index) => Math.abs(sample - (expected[index] ?? NaN))))).toBeLessThan(1e-4);
  });
});

describe("decodeImage", () => {
  it.each([1, 3] as const)("reads a PNG file of %i channels to its own samples", async (channels) => {
    const { values } = imageOf(6, 4, channels);
    const png = encode({ width: 4, height: 6, channels, depth: 8, data: values });
    await expect(decodeImage(png, { file: "a.png", channels })).resolves.toEqual({
      height: 6,
      width: 4,
      channels,
      values,
    });
  });

  it("refuses other bytes by their first four", async () => {
    const decode = decodeImage(Buffer.from("GIF89a"), { file: "a.gif", channels: 1 });
    await expect(decode).rejects.toThrow(/KN_CONFIG.*a\.gif.*PNG or a JPEG.*47494638/);
    await expect(decodeImage(new Uint8Array(0), { file: "nothing", channels: 1 })).rejects.toThrow(/0 bytes/);
  });

  it("refuses a PNG file of too many pixels by its header", async () => {
    const bytes = pngOf(header(100_000, 100_000), chunk("IDAT", rows(1, 1)));
    await expect(decodeImage(bytes, { file: "a.png", channels: 1 })).rejects.toThrow(/1048576 pixels, not 100000 x/);
  });
});

describe("decodePng of hostile files", () => {
  const decode = (bytes: Uint8Array) => () => decodePng(bytes, { file: "a.png", channels: 1 });

  it("reads a file that is made of these chunks", () => {
    expect(decode(pngOf(header(3, 2), chunk("IDAT", rows(3, 2))))().values).toEqual(new Uint8Array(6));
  });

  it("refuses image data that inflates beyond its pixels, before it is inflated", () => {
    const bomb = zlibSync(new Uint8Array(16 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(70_000);
    expect(decode(pngOf(header(3, 2), chunk("IDAT", bomb)))).toThrow(/longer than its pixels need/);
  });

  it("does not inflate a colour profile", () => {
    const profile = Buffer.concat([Buffer.from("icc\0\0"), zlibSync(new Uint8Array(16 * 1024 * 1024))]);
    const bytes = pngOf(header(3, 2), chunk("iCCP", profile), chunk("IDAT", rows(3, 2)));
    expect(decode(bytes)().values).toEqual(new Uint8Array(6));
  });

  it("refuses a second header, a chunk beyond the file and a palette of too many colours", () => {
    expect(decode(pngOf(header(3, 2), header(60_000, 60_000)))).toThrow(/header must come first, and once/);
    const long = chunk("IDAT", rows(3, 2));
    long.set([0, 1, 0, 0]);
    expect(decode(pngOf(header(3, 2), long))).toThrow(/ends beyond the file/);
    expect(decode(pngOf(header(3, 2), chunk("PLTE", new Uint8Array(3000))))).toThrow(/at most 256 colours/);
  });

  it("reads nothing outside the view of its bytes", () => {
    const file = pngOf(header(3, 2), chunk("IDAT", rows(3, 2)));
    const pool = Buffer.alloc(file.length + 64, 0x55);
    pool.set(file, 32);
    expect(decode(pool.subarray(32, 32 + file.length))().values).toEqual(new Uint8Array(6));
    expect(decode(pool.subarray(32, 24 + file.length))).toThrow(/KN_CONFIG/);
  });
});
