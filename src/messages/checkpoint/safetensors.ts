/**
 * Checkpoints in the safetensors format: eight bytes of header length (u64 little-endian), a JSON header with dtype,
 * shape and byte range per tensor, then the raw data. Chosen over our own message format so that a checkpoint opens in
 * Python with one import, and because its header can be checked before anything is allocated.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../index.ts";

export interface SafetensorsContent {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, TensorView>>;
}

const DTYPES = { f32: "F32", i32: "I32", u8: "U8" } as const;
const ELEMENTS = { F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;

const entrySchema = z.strictObject({
  dtype: z.enum(["F32", "I32", "U8"]),
  shape: z.array(z.int().min(0)).max(8),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const metadataSchema = z.record(z.string(), z.string());

/** Larger headers are refused: the format's own reference implementation sets this limit. */
const MAX_HEADER_BYTES = 100_000_000;

export function encodeSafetensors({ metadata, tensors }: SafetensorsContent): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dtype, shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: DTYPES[dtype], shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8; // aligned data, spaces after the JSON, as the format advises
  const bytes = new Uint8Array(8 + padded + offset).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let position = 8 + padded;
  for (const { values } of Object.values(tensors)) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), position);
    position += values.byteLength;
  }
  return bytes;
}

/**
 * Tensors are copies, owned by the caller.
 * @throws KnowledgeNetError KN_CHECKPOINT when `bytes` is not a whole and consistent safetensors file.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsContent {
  const refuse = (rule: string, value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: "read a checkpoint",
      rule,
      value,
      remedy: "use an older generation",
      ...(cause === undefined ? {} : { cause }),
    });
  if (bytes.length < 8) throw refuse("it must begin with an 8-byte header length", `${bytes.length} bytes`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > bytes.length) {
    throw refuse("its header must lie within the file", `${headerBytes} bytes of header in ${bytes.length}`);
  }
  let header: Record<string, unknown>;
  try {
    header = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))));
  } catch (error) {
    throw refuse("its header must be a JSON object", "unreadable", error);
  }
  const data = bytes.subarray(8 + headerBytes);
  const metadata = metadataSchema.safeParse(header.__metadata__ ?? {});
  if (!metadata.success) throw refuse("__metadata__ must map words to words", JSON.stringify(header.__metadata__));

  const tensors: Record<string, TensorView> = {};
  for (const [name, raw] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const entry = entrySchema.safeParse(raw);
    if (!entry.success) throw refuse(`tensor ${name} must have dtype, shape and data_offsets`, JSON.stringify(raw));
    const { dtype, shape, data_offsets: [from, to] } = entry.data; // biome-ignore format: one line reads better
    const size = shape.reduce((product, extent) => product * extent, 1) * ELEMENTS[dtype].BYTES_PER_ELEMENT;
    if (to - from !== size || to > data.length) {
      throw refuse(
        `the bytes of tensor ${name} must be shape x dtype and lie within the file`,
        `${from} to ${to} for ${size}`,
      );
    }
    tensors[name] = viewOf(dtype, shape, new Uint8Array(data.subarray(from, to)).buffer);
  }
  return { metadata: metadata.data, tensors };
}

function viewOf(dtype: keyof typeof ELEMENTS, shape: readonly number[], buffer: ArrayBuffer): TensorView {
  switch (dtype) {
    case "F32":
      return { dtype: "f32", shape, values: new Float32Array(buffer) };
    case "I32":
      return { dtype: "i32", shape, values: new Int32Array(buffer) };
    case "U8":
      return { dtype: "u8", shape, values: new Uint8Array(buffer) };
  }
}
