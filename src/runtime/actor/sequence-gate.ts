/**
 * The receiving end of an ordered stream over a lossy bus: takes each sequence once and in order. What is missing comes
 * again from the sender's outbox, so a later one that arrives before it is refused, not kept. What will never come is
 * passed over: after the receiver's own restart, after the sender's, and always where the sender may leave out the old
 * for the new (`overload: drop`).
 */

/** Why sequences were passed over. */
export type GapCause = "restarted" | "sender-restarted" | "overload";

export type GateVerdict =
  | { readonly verdict: "accept"; readonly gap?: GapCause }
  | { readonly verdict: "duplicate" | "out-of-order" };

export interface SequenceGate {
  /** The last sequence that was accepted. */
  readonly last: number;
  /** @param fence of the sender's incarnation; older ones are kept out before (fence-guard.ts). */
  check(sequence: number, fence: number): GateVerdict;
}

export interface SequenceGateOptions {
  /** Sequence before the first one to accept. @default 0 */
  readonly start?: number;
  /** The sender leaves out the old for the new. @default false */
  readonly takesGaps?: boolean;
}

export function createSequenceGate({ start = 0, takesGaps = false }: SequenceGateOptions = {}): SequenceGate {
  let last = start;
  let lastFence: number | undefined;
  return {
    get last() {
      return last;
    },
    check(sequence, fence) {
      if (sequence <= last) return { verdict: "duplicate" };
      const isNext = sequence === last + 1;
      const gap: GapCause | undefined =
        lastFence === undefined
          ? "restarted"
          : lastFence !== fence
            ? "sender-restarted"
            : takesGaps
              ? "overload"
              : undefined;
      if (!isNext && gap === undefined) return { verdict: "out-of-order" };
      last = sequence;
      lastFence = fence;
      return isNext || gap === undefined ? { verdict: "accept" } : { verdict: "accept", gap };
    },
  };
}
