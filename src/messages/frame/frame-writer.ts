/**
 * Lays out a frame around its tensor. A generated encoder would copy the payload three times on its way (into the
 * tensor, the content, the frame); here the sizes come first, then one buffer, and the codec writes straight into it.
 */
import { wire } from "../generated/knowledgenet.ts";
import type { PreparedTensor } from "../tensor/tensor-codec.ts";
import { bytesOf } from "../tensor/tensor-view.ts";
import { fieldSize, writePrefix } from "../wire/length-prefix.ts";

// Field numbers in schemas/knowledgenet/v1; the tests decode these bytes by the schemas themselves.
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
 * @returns a whole Frame, owned by the caller. It lies in its buffer so that the data is aligned: a receiver in the
 * same process reads it without a copy.
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

  const padding = (4 - ((total - dataBytes) % 4)) % 4; // the data comes last
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
