/** Every message that an actor does not use is counted, by reason. */

/** Why a message was dropped. */
export const DROP_REASONS = [
  "duplicate", // seen before
  "out-of-order", // a message before it is missing; the sender repeats both
  "undecodable", // refused by the decoder
  "stale", // outside the step window
  "fenced", // from a sender that lost its lease
  "overflow", // the mailbox was full
  "unexpected", // of a kind that this actor does not take
  "late", // a gradient whose batch is no longer kept
  "skipped", // not a message but a batch: it went by between the checkpoint and the return of a restarted actor
  "non-finite", // a tensor with NaN or infinity
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface DropCounters {
  count(reason: DropReason, messages?: number): void;
  /** Reasons that occurred, with their counts. */
  snapshot(): Readonly<Record<string, number>>;
}

export function createDropCounters(): DropCounters {
  const counts = new Map<DropReason, number>();
  return {
    count(reason, messages = 1) {
      counts.set(reason, (counts.get(reason) ?? 0) + messages);
    },
    snapshot: () => Object.fromEntries(counts),
  };
}
