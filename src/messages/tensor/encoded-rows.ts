/**
 * An encoded tensor, sample by sample: the encoding of a sample does not depend on its batch, so rows can be cached and
 * combined into another batch. A batch of cached rows decodes to the same bits as a new one.
 */
import { countElements, type TensorView } from "./tensor-view.ts";
import {
  encodedTensorBytes,
  type PreparedTensor,
  prepareTensor,
  type TensorCodec,
  wireCodecOf,
} from "./tensor-codec.ts";
import { wire } from "../generated/knowledgenet.ts";

/** Codecs that encode each sample by itself. */
export type RowCodec = Extract<TensorCodec, "raw" | "bf16" | "int8-sample">;

export interface EncodedRows {
  readonly codec: RowCodec;
  readonly sampleShape: readonly number[];
  /** Samples. */
  readonly count: number;
  /** Bytes of one row: its elements, then its scale if the codec has one. */
  readonly rowBytes: number;
  /** The rows, one after another. */
  readonly bytes: Uint8Array;
}

/** Size of one encoded sample, bytes. */
export function encodedRowBytes(sampleShape: readonly number[], codec: RowCodec): number {
  return encodedTensorBytes([1, ...sampleShape], "f32", codec);
}

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; TypeError unless the tensor is f32. */
export function encodeRows(tensor: TensorView, codec: RowCodec): EncodedRows {
  const [count = 0, ...sampleShape] = tensor.shape;
  const { dataBytes, scaleCount, fill } = prepareTensor(tensor, codec);
  const rowBytes = encodedRowBytes(sampleShape, codec);
  const data = new Uint8Array(dataBytes);
  const scales = new Float32Array(scaleCount);
  fill(data, scales);
  if (scaleCount === 0) return { codec, sampleShape, count, rowBytes, bytes: data };
  const bytes = new Uint8Array(count * rowBytes);
  const scaleBytes = new Uint8Array(scales.buffer);
  const elements = rowBytes - SCALE_BYTES;
  for (let row = 0; row < count; row += 1) {
    bytes.set(data.subarray(row * elements, (row + 1) * elements), row * rowBytes);
    bytes.set(scaleBytes.subarray(row * SCALE_BYTES, (row + 1) * SCALE_BYTES), row * rowBytes + elements);
  }
  return { codec, sampleShape, count, rowBytes, bytes };
}

const SCALE_BYTES = 4;

/** The rows as the tensor of a frame. */
export function prepareRows({ codec, sampleShape, count, rowBytes, bytes }: EncodedRows): PreparedTensor {
  const shape = [count, ...sampleShape];
  const hasScale = codec === "int8-sample";
  const elementBytes = hasScale ? rowBytes - SCALE_BYTES : rowBytes;
  return {
    fields: {
      dtype: wire.DType.DTYPE_F32,
      shape,
      codec: wireCodecOf(codec),
      ...(hasScale ? { blockElements: countElements(sampleShape) ?? 1 } : {}),
    },
    dataBytes: count * elementBytes,
    scaleCount: hasScale ? count : 0,
    fill(target, scales) {
      if (!hasScale) {
        target.set(bytes);
        return;
      }
      const scaleBytes = new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
      for (let row = 0; row < count; row += 1) {
        const start = row * rowBytes;
        target.set(bytes.subarray(start, start + elementBytes), row * elementBytes);
        scaleBytes.set(bytes.subarray(start + elementBytes, start + rowBytes), row * SCALE_BYTES);
      }
    },
  };
}
