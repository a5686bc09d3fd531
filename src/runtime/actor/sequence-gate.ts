/**
 * The receiving end of an ordered stream over a lossy bus: takes each sequence once and in order. What is missing comes
 * again from the sender's outbox, so a later one that arrives before it is refused, not kept.
 */
export type GateVerdict = "accept" | "duplicate" | "out-of-order";

export interface SequenceGate {
  /** The last sequence that was accepted. */
  readonly last: number;
  /** Sequences that were skipped by rejoining. */
  readonly skipped: number;
  check(sequence: number): GateVerdict;
}

export interface SequenceGateOptions {
  /** Sequence before the first one to accept. @default 0 */
  readonly start?: number;
  /**
   * True for an actor that comes back after a crash: the first sequence beyond `start` is accepted whatever it is,
   * since the ones between are gone for good; they are counted. @default false
   */
  readonly isRejoining?: boolean;
}

export function createSequenceGate({ start = 0, isRejoining = false }: SequenceGateOptions = {}): SequenceGate {
  let last = start;
  let skipped = 0;
  let mayJump = isRejoining;
  return {
    get last() {
      return last;
    },
    get skipped() {
      return skipped;
    },
    check(sequence) {
      if (sequence <= last) return "duplicate";
      if (sequence !== last + 1 && !mayJump) return "out-of-order";
      skipped += sequence - last - 1;
      mayJump = false;
      last = sequence;
      return "accept";
    },
  };
}
