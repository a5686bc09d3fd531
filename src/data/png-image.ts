/**
 * PNG bytes to the pixels that a network is given: u8 samples of 0 to 255, [height, width, channels].
 *
 * Every colour type and bit depth of the PNG specification is read: grey, true colour and palette, 1 to 16 bits per
 * sample, with alpha or a tRNS chunk. Transparent pixels are laid on a background, in the samples' own (gamma encoded)
 * space, as browsers and Pillow do. Colour profiles and gamma are not applied. Of an animation the first frame is read.
 */
import { convertIndexedToRgb, decode, type DecodedPng } from "fast-png";
import { KnowledgeNetError } from "../errors/index.ts";
import { openPngFile, type PngFile } from "./png-file.ts";

export interface DecodePngOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  /** Channels of the result: 1 (Rec. 601 luma of a coloured image) or 3. */
  readonly channels: 1 | 3;
  /** Red, green and blue, 0 to 255, behind transparent pixels. @default black: what MNIST has behind its digits */
  readonly background?: Colour;
  /** Most pixels that are decoded. @default 67,108,864 */
  readonly maxPixels?: number;
}

export type Colour = readonly [red: number, green: number, blue: number];

export interface PngImage {
  readonly height: number;
  readonly width: number;
  /** [height, width, channels] */
  readonly values: Uint8Array;
  /** At least one pixel is not opaque: the background shows in `values`. */
  readonly isTransparent: boolean;
}

/** 8,192 x 8,192: beyond any image that a network is given, within any machine's memory. */
const MAX_PIXELS = 64 * 1024 * 1024;

export const BLACK: Colour = [0, 0, 0];

/** Red, green, blue and alpha of pixel `index`, 0 to 255. */
type PixelAt = (index: number) => readonly [red: number, green: number, blue: number, alpha: number];

/** @throws KnowledgeNetError KN_CONFIG for bytes that are not a whole PNG file, or one of too many pixels. */
export function decodePng(
  bytes: Uint8Array,
  { file, channels, background = BLACK, maxPixels = MAX_PIXELS }: DecodePngOptions,
): PngImage {
  let png: DecodedPng;
  let at: PixelAt;
  try {
    const header = openPngFile(bytes, maxPixels);
    // fast-png 8.0.0 reads each sample of an interlaced image as a whole byte.
    if (header.isInterlaced && header.depth < 8) {
      throw refusal(file, "an interlaced PNG must have 8 or 16 bits per sample", `${header.depth} bits`);
    }
    png = decode(header.bytes, { checkCrc: true });
    if (isPlain(png, header, channels)) {
      const { height, width } = png;
      return { height, width, values: new Uint8Array(png.data), isTransparent: false };
    }
    at = header.isIndexed ? paletteReader(png) : sampleReader(png);
  } catch (error) {
    if (error instanceof KnowledgeNetError) throw error;
    throw refusal(
      file,
      "it must be a readable PNG file",
      error instanceof Error ? error.message : String(error),
      error,
    );
  }
  const { height, width } = png;
  const values = new Uint8Array(height * width * channels);
  let isTransparent = false;
  for (let index = 0; index < height * width; index += 1) {
    const [red, green, blue, alpha] = at(index);
    isTransparent ||= alpha < 255;
    const [r, g, b] = [red, green, blue].map((sample, channel) =>
      Math.round((sample * alpha + (background[channel] ?? 0) * (255 - alpha)) / 255),
    ) as [number, number, number];
    if (channels === 1) values[index] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    else values.set([r, g, b], index * 3);
  }
  return { height, width, values, isTransparent };
}

/**
 * Whether the samples are the result already: 8 bits, no transparency, as many channels as asked for. A true colour image
 * may carry a palette too, as a suggestion for displays of few colours, so the palette alone makes no image an indexed one.
 */
function isPlain(png: DecodedPng, { isIndexed }: PngFile, channels: number): boolean {
  return png.depth === 8 && !isIndexed && png.transparency === undefined && png.channels === channels;
}

function paletteReader(png: DecodedPng): PixelAt {
  const colours = convertIndexedToRgb(png);
  const size = png.palette?.[0]?.length ?? 3;
  return (index) => {
    const [red = 0, green = 0, blue = 0, alpha = 255] = colours.subarray(index * size, (index + 1) * size);
    return [red, green, blue, alpha];
  };
}

/** Grey or true colour. Alpha is a channel, or 0 where a sample has exactly the value that the tRNS chunk names. */
function sampleReader({ data, width, height, depth, channels, transparency }: DecodedPng): PixelAt {
  const samples = depth < 8 ? unpack(data, { width, height, depth }) : data;
  const largest = 2 ** depth - 1;
  const hasAlpha = channels === 2 || channels === 4;
  return (index) => {
    const raw = samples.subarray(index * channels, (index + 1) * channels);
    const [first = 0, second = 0, third = 0, fourth = largest] = Array.from(raw, (sample) =>
      Math.round((sample * 255) / largest),
    );
    const isKey = transparency !== undefined && transparency.every((sample, channel) => raw[channel] === sample);
    if (channels < 3) return [first, first, first, hasAlpha ? second : isKey ? 0 : 255];
    return [first, second, third, hasAlpha ? fourth : isKey ? 0 : 255];
  };
}

/** Grey samples of 1, 2 or 4 bits, the leftmost in the high bits; each row begins with a new byte. */
function unpack(
  packed: DecodedPng["data"],
  { width, height, depth }: Pick<DecodedPng, "width" | "height" | "depth">,
): Uint8Array {
  const bytesPerRow = Math.ceil((width * depth) / 8);
  const perByte = 8 / depth;
  return Uint8Array.from({ length: height * width }, (_, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    const byte = packed[row * bytesPerRow + Math.floor(column / perByte)] ?? 0;
    return (byte >> (8 - depth * ((column % perByte) + 1))) & (2 ** depth - 1);
  });
}

function refusal(file: string, rule: string, value: string, cause?: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `read ${file}`,
    rule,
    value,
    remedy: "save it as a PNG of 8 bits per sample without interlacing",
    cause,
  });
}
