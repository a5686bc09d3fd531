/**
 * Recordings whose gradient is on its way, by step: bounded in number and in bytes, the oldest given up first, the newest
 * never. What is given up is counted; what comes to its end is not.
 */
import type { GradientOrigin } from "../gradient-sources/index.ts";
import type { Recording } from "./slice.ts";

export interface RetainBounds {
  readonly batches: number;
  /** By `Recording.retainedBytes`. */
  readonly bytes: number;
}

export interface RetainedBatch {
  readonly recording: Recording;
  /** Updates of the slice before the forward. */
  readonly version: number;
  /** Origins of the gradients that were applied or accumulated so far. */
  readonly taken: Set<GradientOrigin>;
}

export interface RetainedBatches {
  readonly count: number;
  /** Batches given up so far, by a bound or by `forget`. */
  readonly forgotten: number;
  get(step: number): RetainedBatch | undefined;
  /** Takes over a batch; gives up older ones while a bound is exceeded. */
  put(step: number, batch: RetainedBatch): void;
  /** Frees a batch, if it is kept, without counting it. */
  end(step: number): void;
  /** Gives up all. @returns how many. */
  forget(): number;
  /** Frees all without counting them. */
  clear(): void;
}

export function createRetainedBatches(bounds: RetainBounds): RetainedBatches {
  const batches = new Map<number, RetainedBatch>(); // oldest first
  let bytes = 0;
  let forgotten = 0;

  const end = (step: number): void => {
    const batch = batches.get(step);
    if (batch === undefined) return;
    batches.delete(step);
    bytes -= batch.recording.retainedBytes;
    batch.recording.dispose();
  };
  const clear = (): number => {
    const { size } = batches;
    for (const step of [...batches.keys()]) end(step);
    return size;
  };

  return {
    get count() {
      return batches.size;
    },
    get forgotten() {
      return forgotten;
    },
    get: (step) => batches.get(step),
    put(step, batch) {
      end(step);
      batches.set(step, batch);
      bytes += batch.recording.retainedBytes;
      for (const oldest of [...batches.keys()].slice(0, -1)) {
        if (batches.size <= bounds.batches && bytes <= bounds.bytes) break;
        end(oldest);
        forgotten += 1;
      }
    },
    end,
    forget() {
      const count = clear();
      forgotten += count;
      return count;
    },
    clear,
  };
}
