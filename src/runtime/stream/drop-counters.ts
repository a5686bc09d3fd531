/** Counts of the messages that an actor drops, by reason. */
import { type Counters, createCounters } from "./counters.ts";

/** Why a message was dropped. */
export const DROP_REASONS = [
  "duplicate", // accepted before
  "out-of-order", // a message before it is missing; the sender retransmits both
  "undecodable", // refused by the decoder
  "stale", // outside the step window
  "fenced", // from a sender that lost its lease, or with an impossible token
  "overflow", // the mailbox was full
  "unexpected", // of another run, or of a kind that this actor does not accept
  "late", // a gradient whose batch is no longer kept
  "non-finite", // a tensor with NaN or infinity
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export type DropCounters = Counters<DropReason>;

export const createDropCounters = (): DropCounters => createCounters<DropReason>();
