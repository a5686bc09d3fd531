/**
 * JPEG bytes to pixels: u8 samples of 0 to 255, [height, width, channels]. Baseline and progressive, grey and colour
 * (YCbCr or RGB), 8 bits; by libjpeg-turbo in WebAssembly, so the pixels are those of Pillow and TensorFlow to the bit
 * (docs/adr/0019-image-files.md). EXIF orientation and colour profiles are not applied, as by those.
 *
 * A file that libjpeg refuses leaves its instance in a state that later crashes (tried: out of bounds within 4,000 damaged
 * files), so the instance goes with it. One that has only decoded good files stays.
 */
import createCodec, { type JpegCodec } from "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs";
import { KnowledgeNetError } from "../errors/index.ts";

export interface DecodeJpegOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  /** Channels of the result: 1 (Rec. 601 luma of a coloured image) or 3. */
  readonly channels: 1 | 3;
  /** Most pixels that are decoded. */
  readonly maxPixels: number;
}

export interface JpegSize {
  readonly height: number;
  readonly width: number;
}

/** Scans of a progressive image: encoders write about ten; each costs a pass over all pixels, even an empty one. */
const MAX_SCANS = 64;

let current: Promise<JpegCodec> | undefined;

/** Rejects with KN_CONFIG for bytes that are not a whole JPEG file, or one of too many pixels. */
export async function decodeJpeg(
  bytes: Uint8Array,
  { file, channels, maxPixels }: DecodeJpegOptions,
): Promise<JpegSize & { readonly values: Uint8Array }> {
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `read ${file}`, rule, value, remedy: "save it as a baseline JPEG" });
  const size = sizeOf(bytes);
  if (size === undefined) throw refuse("it must be a readable JPEG file", "no frame of 8 bits in grey or colour");
  if (size.height * size.width > maxPixels) {
    throw refuse(`it must have at most ${maxPixels} pixels`, `${size.width} x ${size.height}`);
  }
  const scans = countScans(bytes);
  if (scans > MAX_SCANS) throw refuse(`it must have at most ${MAX_SCANS} scans`, String(scans));
  const codec = await openCodec();
  let image: { readonly width: number; readonly height: number; readonly samples: Uint8Array; readonly count: number };
  try {
    const decoder = new codec.JPEGDecoder();
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, componentCount: count } = decoder.getFrameInfo();
    image = { width, height, count, samples: Uint8Array.from(decoder.getDecodedBuffer()) };
    decoder.delete();
  } catch {
    current = undefined;
    throw refuse("it must be a readable JPEG file", `${bytes.length} bytes that libjpeg refuses`);
  }
  const { width, height, count, samples } = image;
  const isWhole = (count === 1 || count === 3) && samples.length === width * height * count;
  if (!isWhole || width !== size.width || height !== size.height) {
    current = undefined;
    throw refuse("it must be a readable JPEG file", `${width} x ${height} x ${count} in ${samples.length} bytes`);
  }
  return { width, height, values: withChannels(samples, { from: count, to: channels }) };
}

/** Another request may have spoilt the instance while this one waited for it. */
async function openCodec(): Promise<JpegCodec> {
  for (;;) {
    const opening = (current ??= createCodec({ print: () => undefined, printErr: () => undefined }));
    let codec: JpegCodec;
    try {
      codec = await opening;
    } catch (error) {
      if (current === opening) current = undefined;
      throw error;
    }
    if (current === opening) return codec;
  }
}

/** Height and width of the frame header (SOF0 to SOF2, 8 bits, 1 or 3 components), by the segments before the first scan. */
function sizeOf(bytes: Uint8Array): JpegSize | undefined {
  const u16 = (at: number): number => (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  let size: JpegSize | undefined;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker === 0xda) return size;
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const components = bytes[at + 9];
      const isRead = marker <= 0xc2 && bytes[at + 4] === 8 && (components === 1 || components === 3);
      if (size !== undefined || !isRead) return undefined;
      size = { height: u16(at + 5), width: u16(at + 7) };
      if (size.height === 0 || size.width === 0) return undefined;
    }
    const length = u16(at + 2);
    if (length < 2) return undefined;
    at += 2 + length;
  }
  return undefined;
}

/** Start-of-scan markers; entropy-coded data has no byte but 0 and restart markers behind 0xff. */
function countScans(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda) scans += 1;
  }
  return scans;
}

function withChannels(samples: Uint8Array, { from, to }: { readonly from: number; readonly to: number }): Uint8Array {
  if (from === to) return samples;
  const pixels = samples.length / from;
  const values = new Uint8Array(pixels * to);
  for (let index = 0; index < pixels; index += 1) {
    if (to === 3) values.fill(samples[index] ?? 0, index * 3, index * 3 + 3);
    else values[index] = luma(samples[index * 3] ?? 0, samples[index * 3 + 1] ?? 0, samples[index * 3 + 2] ?? 0);
  }
  return values;
}

/** Rec. 601, as for PNG files. */
function luma(red: number, green: number, blue: number): number {
  return Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
}
