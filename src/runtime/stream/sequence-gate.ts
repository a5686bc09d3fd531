/**
 * The receiving end of an ordered stream over a lossy bus: takes each sequence once and in order. What is missing comes
 * again from the sender's outbox, so a later one that arrives before it is refused, not kept. Only the sender knows what
 * will never come, and says so; nothing is passed over on a guess.
 */

/**
 * Why sequences were passed over: this receiver was away when they went by; the sender, or one before it, has restarted and
 * does not have them; they gave way to newer ones (`overload: drop`).
 */
export type GapCause = "restarted" | "sender-restarted" | "overload";

export type GateVerdict = "accept" | "duplicate" | "out-of-order";

export interface SequenceGate {
  /** The last sequence that was accepted or passed over. */
  readonly last: number;
  /** @param fence of the sender's incarnation; older ones are kept out before (fence-guard.ts). */
  check(sequence: number, fence: number): GateVerdict;
  /**
   * The sender has nothing of `first` to `sequence`: goes on behind them.
   * @returns the cause where something is passed over.
   */
  skip(first: number, sequence: number, fence: number): Exclude<GateVerdict, "accept"> | { readonly cause: GapCause };
}

export interface SequenceGateOptions {
  /** Sequence before the first one to accept. @default 0 */
  readonly start?: number;
  /** The sender leaves out the old for the new. @default false */
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
