/** One frame of a run's plan and its size. */
import { activationFrameBytes, type TensorCodec } from "../messages/index.ts";

export interface PlannedFrame {
  /** Tensor and place, for a reader: "the activation at boundary 0 (after relu1)". */
  readonly what: string;
  /** Key of the spec that sets the batch, and its value. */
  readonly batchKey: string;
  readonly batch: number;
  /** Key of the spec that sets the codec; undefined: images have none. */
  readonly codecKey: string | undefined;
  /** Upper bound. */
  readonly bytes: number;
  /** Growth with the batch, bytes. */
  readonly bytesPerSample: number;
  /** Replicas of a teacher section take turns in receiving it, so it must be one message, never chunks. */
  readonly isShared?: boolean;
}

/** Sizes for each batch size of the run. @param bytesOf a frame of `batch` samples */
export function forBatches(
  batches: readonly (readonly [string, number])[],
  frame: Pick<PlannedFrame, "what" | "codecKey" | "isShared">,
  bytesOf: (batch: number) => number,
): PlannedFrame[] {
  return batches.map(([batchKey, batch]) => {
    const bytes = bytesOf(batch);
    return { ...frame, batchKey, batch, bytes, bytesPerSample: Math.max(1, bytesOf(batch + 1) - bytes) };
  });
}

/** Images travel without a codec, a byte for each value. */
export function imageBytes(shape: readonly number[], hasProvenance: boolean): (batch: number) => number {
  return (batch) => activationFrameBytes({ shape: [batch, ...shape], dtype: "u8", codec: "raw" }, hasProvenance);
}

export function floatBytes(
  shape: readonly number[],
  codec: TensorCodec,
  hasProvenance: boolean,
): (batch: number) => number {
  return (batch) => activationFrameBytes({ shape: [batch, ...shape], codec }, hasProvenance);
}
