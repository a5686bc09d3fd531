/**
 * Rejects messages of an actor that has lost its lease: of each sender only the highest fencing token seen so far is
 * admitted. Sequence numbers cannot detect a stale holder: its successor starts at its checkpoint, behind what the
 * stale holder had already sent.
 *
 * A token far above the receiver's own is rejected too: admitted once, it would fence the real holder out for ever.
 * Both come from one store, whose clock is the upper part of a token; no clock of a node plays a part.
 */

/**
 * Tokens per second of the store's clock; the seconds are the upper part of a token (runtime/lease). Up to 2 million
 * revisions within a second keep their order.
 */
export const FENCES_PER_SECOND = 2 ** 21;

/** How far a token may be ahead of the receiver's own, s: ten years, longer than any incarnation of an actor. */
const AHEAD_SECONDS = 10 * 366 * 24 * 3600;

export interface FenceGuard {
  /** @returns false for a message of an earlier incarnation, or with a token that cannot have been granted. */
  admit(sender: string, fence: number): boolean;
}

/** @param own the receiver's own token; 0: it has no lease, and no bound follows from it */
export function createFenceGuard(own: number): FenceGuard {
  const bound = own === 0 ? Infinity : own + AHEAD_SECONDS * FENCES_PER_SECOND;
  const highest = new Map<string, number>();
  return {
    admit(sender, fence) {
      if (fence < (highest.get(sender) ?? 0) || fence > bound) return false;
      highest.set(sender, fence);
      return true;
    },
  };
}
