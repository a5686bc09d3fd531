/**
 * How fast bulk work moves on: interactive requests go before it, as many as come, and each of its batches waits for the one
 * before. So its wait is not predicted from compute times, but from the time between two of its batches. Plain state.
 */
export interface BulkPace {
  /** Of the last batches while more of it waited; 0: not known. */
  readonly msPerSample: number;
  /** A batch was sent; `isBacklogged`: more waits. */
  note(nowMs: number, samples: number, isBacklogged: boolean): void;
}

/** Weight of the newest batch. */
const NEWEST = 0.2;

export function createBulkPace(): BulkPace {
  let msPerSample = 0;
  let last: { readonly atMs: number; readonly samples: number } | undefined;
  return {
    get msPerSample() {
      return msPerSample;
    },
    note(nowMs, samples, isBacklogged) {
      if (last !== undefined) {
        const found = (nowMs - last.atMs) / last.samples;
        msPerSample = msPerSample === 0 ? found : (1 - NEWEST) * msPerSample + NEWEST * found;
      }
      last = isBacklogged ? { atMs: nowMs, samples } : undefined;
    },
  };
}
