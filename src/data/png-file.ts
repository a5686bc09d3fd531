/**
 * What a PNG file must be before a decoder may have it: chunks that end within the file, a header that comes once, and no
 * more decompressed bytes than the header's size needs. fast-png 8.0.0 inflates image data and colour profiles without a
 * bound (a thousand bytes become a million), takes a second header, and reads the memory behind the file where a chunk
 * claims to be longer than it.
 */
import { Unzlib } from "fflate";

/** Deflate cannot expand more than this (1,032). */
const MAX_EXPANSION = 1032;
/** Bytes that need no look: less memory than a request takes anyway. */
const FREE_BYTES = 4 * 1024 * 1024;
/** Compressed bytes that are inflated at once while they are counted. */
const SLICE = 4096;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Samples of each colour type: grey, true colour, palette, grey with alpha, true colour with alpha. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Chunks that a decoder needs for the pixels. */
const NEEDED = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

export interface PngFile {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly depth: number;
  readonly isIndexed: boolean;
  readonly isInterlaced: boolean;
  /** The file with the chunks that pixels need. */
  readonly bytes: Uint8Array;
}

/** @throws Error with the rule that the file breaks */
export function openPngFile(bytes: Uint8Array, maxPixels: number): PngFile {
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) throw new Error("it has no signature of a PNG file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept: Uint8Array[] = [bytes.subarray(0, 8)];
  const data: Uint8Array[] = [];
  let header: Omit<PngFile, "bytes"> | undefined;
  let expected = 0;
  let at = 8;
  for (let type = ""; type !== "IEND"; ) {
    if (at + 12 > bytes.length) throw new Error("it ends before its last chunk");
    const length = view.getUint32(at);
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 12 + length;
    if (end > bytes.length) throw new Error(`chunk ${JSON.stringify(type)} ends beyond the file`);
    const content = bytes.subarray(at + 8, end - 4);
    if ((type === "IHDR") !== (header === undefined)) throw new Error("its header must come first, and once");
    if (type === "IHDR") {
      if (length !== 13) throw new Error("its header must have 13 bytes");
      const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      const [depth = 0, colour = 0, , , interlacing = 0] = content.subarray(8);
      if (width === 0 || height === 0) throw new Error(`it must have pixels, not ${width} x ${height}`);
      if (width * height > maxPixels) {
        throw new Error(`it must have at most ${maxPixels} pixels, not ${width} x ${height}`);
      }
      header = { width, height, depth, isIndexed: colour === 3, isInterlaced: interlacing === 1 };
      // One byte for each row's filter; seven passes of an interlaced image have more rows, of rounded lengths.
      const rowBytes = Math.ceil((width * (SAMPLES[colour] ?? 4) * depth) / 8) + 1;
      expected = rowBytes * height * (header.isInterlaced ? 2 : 1) + 4096;
    }
    if (type === "PLTE" && length > 768) throw new Error("its palette must have at most 256 colours");
    if (type === "IDAT") data.push(content);
    if (NEEDED.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (header === undefined) throw new Error("it has no header");
  checkExpansion(data, Math.max(expected, FREE_BYTES));
  return { ...header, bytes: Buffer.concat(kept) };
}

function checkExpansion(data: readonly Uint8Array[], limit: number): void {
  if (data.reduce((sum, { length }) => sum + length, 0) * MAX_EXPANSION <= limit) return;
  let inflated = 0;
  const inflator = new Unzlib((chunk) => {
    inflated += chunk.length;
  });
  for (const content of data) {
    for (let at = 0; at < content.length; at += SLICE) {
      inflator.push(content.subarray(at, at + SLICE));
      if (inflated > limit) throw new Error("its data must not be longer than its pixels need");
    }
  }
}
