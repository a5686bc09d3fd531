/**
 * Lays out a frame around its tensor. A generated encoder copies the payload three times (into the tensor, the content
 * and the frame); here all sizes are computed first, and the codec writes into the one buffer of the frame.
 */
import { wire } from "../generated/knowledgenet.ts";
import type { PreparedTensor } from "../tensor/tensor-codec.ts";
import { bytesOf } from "../tensor/tensor-view.ts";
import { fieldSize, writePrefix } from "../wire/length-prefix.ts";

// Field numbers in schemas/knowledgenet/v1; tests decode these bytes with the schemas.
const TENSOR_DATA = 4;
const TENSOR_SCALES = 5;

export interface FrameContent {
  /** Number of the content in the oneof of Frame. */
  readonly contentField: number;
  /** The content's own fields but the tensor, encoded. */
  readonly rest: Uint8Array;
  /** Number of the tensor in the content. */
  readonly tensorField: number;
  readonly tensor: PreparedTensor;
}

/**
 * @returns a whole Frame, owned by the caller. Its data is aligned in the buffer: a receiver in the same process reads
 * it without a copy.
 * @throws KnowledgeNetError KN_NUMERIC.
 */
export function writeFrame({ contentField, rest, tensorField, tensor }: FrameContent): Uint8Array {
  const { fields, dataBytes, scaleCount, fill } = tensor;
  const head = wire.Tensor.encode(fields).finish();
  const scales = new Float32Array(scaleCount);
  const scalesSize = scaleCount === 0 ? 0 : fieldSize(scales.byteLength);
  const tensorBytes = head.byteLength + scalesSize + fieldSize(dataBytes);
  const contentBytes = rest.byteLength + fieldSize(tensorBytes);
  const total = fieldSize(contentBytes);

  const padding = (4 - ((total - dataBytes) % 4)) % 4; // the data is last
  const frame = new Uint8Array(new ArrayBuffer(padding + total), padding);
  const data = frame.subarray(total - dataBytes);
  fill(data, scales);

  let position = writePrefix(frame, 0, contentField, contentBytes);
  frame.set(rest, position);
  position = writePrefix(frame, position + rest.byteLength, tensorField, tensorBytes);
  frame.set(head, position);
  position += head.byteLength;
  if (scaleCount > 0) {
    position = writePrefix(frame, position, TENSOR_SCALES, scales.byteLength);
    frame.set(bytesOf(scales), position);
    position += scales.byteLength;
  }
  writePrefix(frame, position, TENSOR_DATA, dataBytes);
  return frame;
}
