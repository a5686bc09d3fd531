/** An image file of either kind to the pixels that a network is given. */
import { KnowledgeNetError } from "../errors/index.ts";
import { decodeJpeg } from "./jpeg-image.ts";
import { type Colour, decodePng } from "./png-image.ts";

export interface DecodeImageOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  readonly channels: 1 | 3;
  /** Behind transparent pixels. @default black */
  readonly background?: Colour;
  /** Most pixels that are decoded; the header is asked before anything is allocated. @default 1,048,576 */
  readonly maxPixels?: number;
}

export interface PixelImage {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** u8 [height, width, channels], owned by the caller. */
  readonly values: Uint8Array;
}

/** 1,024 x 1,024: 20 ms of libjpeg-turbo or 100 of fast-png, which nothing else of the process gets. */
export const DEFAULT_MAX_PIXELS = 1024 * 1024;

/** PNG or JPEG, by the first bytes. Rejects with KN_CONFIG for any other bytes, and for damaged or too large files. */
export async function decodeImage(
  bytes: Uint8Array,
  { file, channels, background, maxPixels = DEFAULT_MAX_PIXELS }: DecodeImageOptions,
): Promise<PixelImage> {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) {
    const options = { file, channels, maxPixels, ...(background === undefined ? {} : { background }) };
    const { height, width, values } = decodePng(bytes, options);
    return { height, width, channels, values };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    return { channels, ...(await decodeJpeg(bytes, { file, channels, maxPixels })) };
  }
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `read ${file}`,
    rule: "it must be a PNG or a JPEG file",
    value: `${bytes.length} bytes that begin with ${Buffer.from(bytes.subarray(0, 4)).toString("hex")}`,
  });
}

export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/**
 * Fits an image to a size by bilinear interpolation, as tf.image.resizeBilinear without aligned corners and without
 * half-pixel centres: sample y of the result is at y * from / to of the image, the last row and column are repeated.
 *
 * @returns f32 [height, width, channels], owned by the caller
 */
export function resizeBilinear({ height, width, channels, values }: PixelImage, to: ImageSize): Float32Array {
  const result = new Float32Array(to.height * to.width * channels);
  const rows = positions(height, to.height);
  const columns = positions(width, to.width);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const [topLeft, topRight, bottomLeft, bottomRight] = [
        (row.low * width + column.low) * channels,
        (row.low * width + column.high) * channels,
        (row.high * width + column.low) * channels,
        (row.high * width + column.high) * channels,
      ];
      for (let channel = 0; channel < channels; channel += 1) {
        const sample = (offset: number): number => values[offset + channel] ?? 0;
        const top = sample(topLeft) + (sample(topRight) - sample(topLeft)) * column.share;
        const bottom = sample(bottomLeft) + (sample(bottomRight) - sample(bottomLeft)) * column.share;
        result[at] = top + (bottom - top) * row.share;
        at += 1;
      }
    }
  }
  return result;
}

interface Position {
  readonly low: number;
  readonly high: number;
  /** Of `high`, 0 to 1. */
  readonly share: number;
}

function positions(from: number, to: number): Position[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, index) => {
    const low = Math.min(from - 1, Math.floor(index * scale));
    return { low, high: Math.min(from - 1, low + 1), share: index * scale - low };
  });
}
