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

/** @throws KnowledgeNetError KN_CONFIG for bytes that are not a whole PNG file, or one of too many pixels. */
export function decodePng(
  bytes: Uint8Array,
  { file, channels, background = BLACK, maxPixels = MAX_PIXELS }: DecodePngOptions,
): PngImage {
  let png: DecodedPng;
  let colours: Uint8Array;
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
    colours = header.isIndexed ? coloursOfPalette(png) : coloursOfSamples(png);
  } catch (error) {
    if (error instanceof KnowledgeNetError) throw error;
    throw refusal(
      file,
      "it must be a readable PNG file",
      error instanceof Error ? error.message : String(error),
      error,
    );
  }
  return { height: png.height, width: png.width, ...layOn(background, colours, channels) };
}

/** Red, green, blue and alpha to `channels`. Plain loops: an image of a million pixels holds the thread. */
function layOn(
  [red, green, blue]: Colour,
  colours: Uint8Array,
  channels: 1 | 3,
): Pick<PngImage, "values" | "isTransparent"> {
  const pixels = colours.length / 4;
  const values = new Uint8Array(pixels * channels);
  let isTransparent = false;
  for (let index = 0; index < pixels; index += 1) {
    let r = colours[index * 4] ?? 0;
    let g = colours[index * 4 + 1] ?? 0;
    let b = colours[index * 4 + 2] ?? 0;
    const alpha = colours[index * 4 + 3] ?? 255;
    if (alpha < 255) {
      isTransparent = true;
      r = Math.round((r * alpha + red * (255 - alpha)) / 255);
      g = Math.round((g * alpha + green * (255 - alpha)) / 255);
      b = Math.round((b * alpha + blue * (255 - alpha)) / 255);
    }
    if (channels === 1) values[index] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    else {
      values[index * 3] = r;
      values[index * 3 + 1] = g;
      values[index * 3 + 2] = b;
    }
  }
  return { values, isTransparent };
}

/**
 * Whether the samples are the result already: 8 bits, no transparency, as many channels as asked for. A true colour image
 * may carry a palette too, as a suggestion for displays of few colours, so the palette alone makes no image an indexed one.
 */
function isPlain(png: DecodedPng, { isIndexed }: PngFile, channels: number): boolean {
  return png.depth === 8 && !isIndexed && png.transparency === undefined && png.channels === channels;
}

/** [pixels, 4] */
function coloursOfPalette(png: DecodedPng): Uint8Array {
  const found = convertIndexedToRgb(png);
  const size = png.palette?.[0]?.length ?? 3;
  if (size === 4) return new Uint8Array(found);
  const colours = new Uint8Array((found.length / 3) * 4).fill(255);
  for (let index = 0; index * 3 < found.length; index += 1) {
    colours[index * 4] = found[index * 3] ?? 0;
    colours[index * 4 + 1] = found[index * 3 + 1] ?? 0;
    colours[index * 4 + 2] = found[index * 3 + 2] ?? 0;
  }
  return colours;
}

/**
 * Grey or true colour to [pixels, 4]. Alpha is a channel, or 0 where a sample has exactly the value that the tRNS chunk
 * names.
 */
function coloursOfSamples({ data, width, height, depth, channels, transparency }: DecodedPng): Uint8Array {
  const samples = depth < 8 ? unpack(data, { width, height, depth }) : data;
  const largest = 2 ** depth - 1;
  const scaled = (at: number): number => Math.round(((samples[at] ?? 0) * 255) / largest);
  const isGrey = channels < 3;
  const hasAlpha = channels === 2 || channels === 4;
  const colours = new Uint8Array(width * height * 4).fill(255);
  for (let index = 0; index < width * height; index += 1) {
    const at = index * channels;
    const first = scaled(at);
    colours[index * 4] = first;
    colours[index * 4 + 1] = isGrey ? first : scaled(at + 1);
    colours[index * 4 + 2] = isGrey ? first : scaled(at + 2);
    if (hasAlpha) colours[index * 4 + 3] = scaled(at + channels - 1);
    else if (transparency !== undefined && isKey(samples, at, transparency)) colours[index * 4 + 3] = 0;
  }
  return colours;
}

function isKey(samples: ArrayLike<number>, at: number, key: ArrayLike<number>): boolean {
  for (let channel = 0; channel < key.length; channel += 1) {
    if (samples[at + channel] !== key[channel]) return false;
  }
  return true;
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
