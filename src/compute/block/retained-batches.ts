/**
 * Recordings whose gradient is pending, by step: bounded in number and in bytes. The oldest is abandoned first, the
 * newest never. Abandoned batches are counted; batches that end normally are not.
 */
import type { GradientOrigin } from "./gradient-sources/index.ts";
import type { Recording } from "../nn/index.ts";

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
  /** One of its gradients has changed the weights. */
  isApplied: boolean;
}

export interface RetainedBatches {
  readonly count: number;
  /** Of these, batches that the weights do not include yet. */
  readonly pending: number;
  /** Batches abandoned so far, by a bound or by `forget`, that the weights do not include. */
  readonly forgotten: number;
  get(step: number): RetainedBatch | undefined;
  /** Takes over a batch; abandons older ones while a bound is exceeded. */
  put(step: number, batch: RetainedBatch): void;
  /** Frees a batch, if it is retained, without counting it. */
  end(step: number): void;
  /** Abandons all. @returns how many of them the weights do not include. */
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
  const clear = (): void => {
    for (const step of [...batches.keys()]) end(step);
  };
  const pending = (): number => [...batches.values()].filter(({ isApplied }) => !isApplied).length;

  return {
    get count() {
      return batches.size;
    },
    get pending() {
      return pending();
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
        if (batches.get(oldest)?.isApplied === false) forgotten += 1;
        end(oldest);
      }
    },
    end,
    forget() {
      const count = pending();
      clear();
      forgotten += count;
      return count;
    },
    clear,
  };
}
