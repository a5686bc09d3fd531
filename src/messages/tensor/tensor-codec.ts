/**
 * Tensors to wire fields and back. Four codecs; `raw` carries every dtype, the others f32 only. A non-finite value is
 * refused by sender and receiver: it would spread through every block.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeBf16, encodeBf16 } from "../codecs/bf16.ts";
import { isAllFinite } from "../codecs/finite.ts";
import {
  decodeInt8Block,
  decodeInt8Channel,
  encodeInt8Block,
  encodeInt8Channel,
  GREATEST_SCALE,
} from "../codecs/int8.ts";
import { type TensorFields, wire } from "../generated/knowledgenet.ts";
import { readWord } from "../wire/fields.ts";
import { refusal } from "../wire/refusal.ts";
import {
  alignedBytes,
  BYTES_PER_ELEMENT,
  bytesOf,
  countElements,
  type DType,
  MAX_RANK,
  type TensorView,
} from "./tensor-view.ts";

/**
 * How values travel: `raw` as they are; `bf16` in 2 bytes; `int8-channel` and `int8-block` in 1 byte and a shared scale
 * per index of the last axis, per `BLOCK_ELEMENTS`, or (`int8-sample`) per index of the first axis, so that the
 * encoding of a sample does not depend on its batch. Receivers train on the decoded values.
 */
export type TensorCodec = "raw" | "bf16" | "int8-channel" | "int8-block" | "int8-sample";

/** Elements that share a scale under `int8-block`: 0.1 % of overhead, and outliers spoil only their own block. */
export const BLOCK_ELEMENTS = 4096;

const DTYPES = { f32: wire.DType.DTYPE_F32, i32: wire.DType.DTYPE_I32, u8: wire.DType.DTYPE_U8 } as const;
const CODECS = {
  raw: wire.Codec.CODEC_RAW,
  bf16: wire.Codec.CODEC_BF16,
  "int8-channel": wire.Codec.CODEC_INT8_CHANNEL,
  "int8-block": wire.Codec.CODEC_INT8_BLOCK,
} as const;

/** Elements that share a scale, of the codecs that have blocks; 0 of the others. */
function blockOf(codec: TensorCodec, shape: readonly number[]): number {
  if (codec === "int8-block") return BLOCK_ELEMENTS;
  return codec === "int8-sample" ? (countElements(shape.slice(1)) ?? 1) : 0;
}

/** The codec's name on the wire, where `int8-sample` is an `int8-block` of one sample. */
export function wireCodecOf(codec: TensorCodec): (typeof CODECS)[keyof typeof CODECS] {
  return CODECS[codec === "int8-sample" ? "int8-block" : codec];
}

/** Sizes of the parts of a payload. */
interface PayloadLayout {
  readonly dataBytes: number;
  readonly scaleCount: number;
}

/** Layout of a payload. Only `fill` writes the data, so it is never copied on its way to the wire. */
export interface PreparedTensor {
  /** Everything but the data and the scales. */
  readonly fields: TensorFields;
  readonly dataBytes: number;
  readonly scaleCount: number;
  /**
   * @param target `dataBytes` at an offset divisible by 4; set. @param scales `scaleCount` zeros; set.
   * @throws KnowledgeNetError KN_NUMERIC on a value that is NaN, infinite, or too large for the codec.
   */
  fill(target: Uint8Array, scales: Float32Array): void;
}

/** Limits on a decoded tensor. */
export interface TensorLimits {
  /** Axes. @default 8 */
  readonly maxRank?: number;
  /** Elements. @default no limit of its own: four for each byte of the message at most */
  readonly maxElements?: number;
}

// The wire is little-endian and the codecs use the machine's own order: the same on everything that Node is built for
// but s390x.
if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
  throw new KnowledgeNetError("KN_INVARIANT", {
    attempt: "load the tensor codecs",
    rule: "the machine must be little-endian",
  });
}

/**
 * Size of a tensor's payload (data and scales) on the wire, bytes.
 * @throws TypeError when the codec does not carry the dtype; RangeError when the shape is none.
 */
export function encodedTensorBytes(shape: readonly number[], dtype: DType, codec: TensorCodec): number {
  const { dataBytes, scaleCount } = layoutOf(shape, dtype, codec);
  return dataBytes + 4 * scaleCount;
}

/** @throws TypeError when the codec does not carry the dtype; RangeError when shape and values disagree. */
export function prepareTensor(tensor: TensorView, codec: TensorCodec): PreparedTensor {
  const { dtype, shape, values } = tensor;
  const layout = layoutOf(shape, dtype, codec);
  if (countElements(shape) !== values.length) {
    throw new RangeError(`Cannot encode a tensor of shape [${shape.join(", ")}] with ${values.length} values`);
  }
  const block = blockOf(codec, shape);
  const fields = {
    dtype: DTYPES[dtype],
    shape,
    codec: wireCodecOf(codec),
    ...(block === 0 ? {} : { blockElements: block }),
  };
  return {
    fields,
    ...layout,
    fill(target, scales) {
      const isFinite = dtype === "f32" ? fillFloats(values, shape, codec, target, scales) : copyRaw(values, target);
      if (isFinite) return;
      throw new KnowledgeNetError("KN_NUMERIC", {
        attempt: "encode a tensor",
        rule: `every value must be finite and within the range of ${codec}`,
        value: `a tensor of shape [${shape.join(", ")}]`,
      });
    },
  };
}

/**
 * `raw` tensors are views on the message when the data lies aligned in it; everything else is the caller's own.
 * @throws KnowledgeNetError KN_DECODE on whatever breaks a rule of tensor.proto.
 */
export function readTensor(
  attempt: string,
  fields: TensorFields | null | undefined,
  limits: TensorLimits = {},
): TensorView {
  if (fields === null || fields === undefined) throw refusal(attempt, "it must have its tensors", "none");
  const { maxRank = MAX_RANK, maxElements = Number.MAX_SAFE_INTEGER } = limits;
  const dtype = readWord(attempt, "dtype", fields.dtype, DTYPES);
  const codec = readWord(attempt, "codec", fields.codec, CODECS);
  if (codec !== "raw" && dtype !== "f32") throw refusal(attempt, `${codec} must carry f32`, dtype);

  const shape = fields.shape ?? [];
  if (shape.length > maxRank) throw refusal(attempt, `the rank must be at most ${maxRank}`, shape.length);
  const elements = countElements(shape);
  if (elements === undefined || elements > maxElements) {
    throw refusal(
      attempt,
      `every extent must be at least 1, with at most ${maxElements} elements`,
      `[${shape.join(", ")}]`,
    );
  }
  const block = fields.blockElements ?? 0;
  if ((codec === "int8-block") !== block >= 1) throw refusal(attempt, `block_elements must fit ${codec}`, block);

  const data = fields.data ?? NO_BYTES;
  const { dataBytes, scaleCount } = layoutFor(elements, shape, dtype, codec, block);
  if (data.byteLength !== dataBytes) {
    throw refusal(
      attempt,
      "shape x dtype must equal the bytes",
      `[${shape.join(", ")}] ${codec} ${dtype} in ${data.byteLength} bytes`,
    );
  }
  const scales = readScales(attempt, fields.scales ?? NO_BYTES, scaleCount);
  if (dtype === "u8") return { dtype, shape, values: data };
  const aligned = alignedBytes(data);
  if (dtype === "i32") return { dtype, shape, values: new Int32Array(aligned.buffer, aligned.byteOffset, elements) };

  const values =
    codec === "raw" ? new Float32Array(aligned.buffer, aligned.byteOffset, elements) : new Float32Array(elements);
  let isFinite = true;
  if (codec === "raw") isFinite = isAllFinite(values);
  else if (codec === "bf16") isFinite = decodeBf16(aligned, values);
  else if (codec === "int8-channel") decodeInt8Channel(data, scaleCount, scales, values);
  else decodeInt8Block(data, block, scales, values);
  if (!isFinite) throw refusal(attempt, "every value must be finite", `a tensor of shape [${shape.join(", ")}]`);
  return { dtype, shape, values };
}

const NO_BYTES = new Uint8Array(0);

function layoutOf(shape: readonly number[], dtype: DType, codec: TensorCodec): PayloadLayout {
  const elements = countElements(shape);
  if (elements === undefined || shape.length > MAX_RANK) {
    throw new RangeError(
      `Cannot encode a tensor of shape [${shape.join(", ")}]: up to ${MAX_RANK} axes, each of 1 or more`,
    );
  }
  if (codec !== "raw" && dtype !== "f32")
    throw new TypeError(`Cannot encode ${dtype} as ${codec}: it carries f32 only`);
  return layoutFor(elements, shape, dtype, codec, blockOf(codec, shape));
}

function layoutFor(
  elements: number,
  shape: readonly number[],
  dtype: DType,
  codec: TensorCodec,
  block: number,
): PayloadLayout {
  switch (codec) {
    case "raw":
      return { dataBytes: elements * BYTES_PER_ELEMENT[dtype], scaleCount: 0 };
    case "bf16":
      return { dataBytes: elements * 2, scaleCount: 0 };
    case "int8-channel":
      return { dataBytes: elements, scaleCount: shape.at(-1) ?? 1 };
    case "int8-block":
    case "int8-sample":
      return { dataBytes: elements, scaleCount: Math.ceil(elements / block) };
  }
}

function readScales(attempt: string, bytes: Uint8Array, count: number): Float32Array {
  if (bytes.byteLength !== count * 4)
    throw refusal(attempt, `it must have ${count} scales of 4 bytes`, bytes.byteLength);
  const aligned = alignedBytes(bytes);
  const scales = new Float32Array(aligned.buffer, aligned.byteOffset, count);
  for (const scale of scales) {
    if (!(scale >= 0 && scale <= GREATEST_SCALE))
      throw refusal(attempt, `a scale must be from 0 to ${GREATEST_SCALE}`, scale);
  }
  return scales;
}

function copyRaw(values: ArrayBufferView, target: Uint8Array): boolean {
  target.set(bytesOf(values));
  return true;
}

/** @returns false when a value is out of the codec's range. */
function fillFloats(
  values: Float32Array,
  shape: readonly number[],
  codec: TensorCodec,
  target: Uint8Array,
  scales: Float32Array,
): boolean {
  switch (codec) {
    case "raw":
      return isAllFinite(values) && copyRaw(values, target);
    case "bf16":
      return encodeBf16(values, target);
    case "int8-channel":
      return encodeInt8Channel(values, shape.at(-1) ?? 1, target, scales);
    case "int8-block":
    case "int8-sample":
      return encodeInt8Block(values, blockOf(codec, shape), target, scales);
  }
}
