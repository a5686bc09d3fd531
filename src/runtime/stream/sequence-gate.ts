/**
 * The order of a stream over a lossy bus: accepts each sequence once and in order. A message ahead of a missing one is
 * refused, not buffered: the sender retransmits both. A gap is skipped only when the sender declares it.
 */

/**
 * Why sequences were skipped: this receiver was down while they were sent; the sender, or one upstream of it, restarted
 * and no longer holds them; the sender dropped them in favour of newer ones (`overload: drop`).
 */
export type GapCause = "restarted" | "sender-restarted" | "overload";

export type GateVerdict = "accept" | "duplicate" | "out-of-order";

export interface SequenceGate {
  /** The last sequence that was accepted or skipped. */
  readonly last: number;
  /** @param fence of the sender's incarnation; stale ones are rejected earlier (fence-guard.ts). */
  check(sequence: number, fence: number): GateVerdict;
  /**
   * The sender declares that it holds nothing of `first` to `sequence`: continues after them.
   * @returns the cause where something is skipped.
   */
  skip(first: number, sequence: number, fence: number): Exclude<GateVerdict, "accept"> | { readonly cause: GapCause };
}

export interface SequenceGateOptions {
  /** Sequence before the first one to accept. @default 0 */
  readonly start?: number;
  /** The sender drops older messages in favour of newer ones. @default false */
  readonly isDropping?: boolean;
}

export function createSequenceGate({ start = 0, isDropping = false }: SequenceGateOptions = {}): SequenceGate {
  let last = start;
  let lastFence: number | undefined;
  const verdictOf = (first: number, sequence: number): GateVerdict => {
    if (sequence <= last) return "duplicate";
    return first <= last + 1 ? "accept" : "out-of-order";
  };
  const causeFrom = (fence: number): GapCause => {
    if (lastFence === undefined) return "restarted";
    return isDropping && fence === lastFence ? "overload" : "sender-restarted";
  };
  return {
    get last() {
      return last;
    },
    check(sequence, fence) {
      const verdict = verdictOf(sequence, sequence);
      if (verdict !== "accept") return verdict;
      last = sequence;
      lastFence = fence;
      return verdict;
    },
    skip(first, sequence, fence) {
      const verdict = verdictOf(first, sequence);
      if (verdict !== "accept") return verdict;
      const cause = causeFrom(fence);
      last = sequence;
      lastFence = fence;
      return { cause };
    },
  };
}
