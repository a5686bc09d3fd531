/** Counts by reason: dropped messages, skipped batches, bytes sent. */

export interface Counters<Reason extends string> {
  count(reason: Reason, amount?: number): void;
  /** Over all reasons. */
  readonly total: number;
  /** Reasons that occurred, with their counts. */
  snapshot(): Readonly<Record<string, number>>;
}

/** @param initial counts to continue from, of a checkpoint. */
export function createCounters<Reason extends string>(
  initial: Readonly<Record<string, number>> = {},
): Counters<Reason> {
  const counts = new Map<string, number>(Object.entries(initial));
  return {
    count(reason, amount = 1) {
      counts.set(reason, (counts.get(reason) ?? 0) + amount);
    },
    get total() {
      let sum = 0;
      for (const amount of counts.values()) sum += amount;
      return sum;
    },
    snapshot: () => Object.fromEntries(counts),
  };
}
