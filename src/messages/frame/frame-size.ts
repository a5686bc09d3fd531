/** Sizes of frames before anything is encoded: a plan refuses frames that every receiver refuses. */
import { encodedTensorBytes, type TensorCodec } from "../tensor/tensor-codec.ts";
import type { DType } from "../tensor/tensor-view.ts";

/**
 * Largest frame without another limit in the plan, bytes: 64 MiB, an activation of [256, 64, 64, 16] in f32, or eight
 * times the widest boundary of the four-layer net at batch 1024. A receiver holds up to this much per stream for
 * incomplete frames, a sender a window of frames until they are acknowledged.
 */
export const DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** Everything of a frame but its payloads: header, names, shapes, counts, lengths. At most 350 bytes, rounded up. */
const OVERHEAD_BYTES = 512;
/** Labels are i32, sample ids u32. */
const BYTES_PER_LABEL = 4;
const BYTES_PER_ID = 4;

export interface FrameShape {
  /** [batch, ...boundary shape]. */
  readonly shape: readonly number[];
  /** @default f32 */
  readonly dtype?: DType;
  readonly codec: TensorCodec;
}

/** Upper bound, at most 512 bytes above the encoded size. @param hasProvenance of a distillation run: ids travel as well */
export function activationFrameBytes({ shape, dtype = "f32", codec }: FrameShape, hasProvenance: boolean): number {
  const perSample = BYTES_PER_LABEL + (hasProvenance ? BYTES_PER_ID : 0);
  return encodedTensorBytes(shape, dtype, codec) + (shape[0] ?? 1) * perSample + OVERHEAD_BYTES;
}

/** Upper bound, at most 512 bytes above the encoded size. */
export function gradientFrameBytes({ shape, codec }: FrameShape): number {
  return encodedTensorBytes(shape, "f32", codec) + OVERHEAD_BYTES;
}
