/**
 * Keeps out what an actor said that has lost its lease: of each sender only the highest fence seen so far counts. Sequence
 * numbers cannot tell that: a successor begins where its checkpoint was, which is behind what the one before had sent.
 */
export interface FenceGuard {
  /** @returns false for a message of a former incarnation. */
  admit(sender: string, fence: number): boolean;
}

export function createFenceGuard(): FenceGuard {
  const highest = new Map<string, number>();
  return {
    admit(sender, fence) {
      if (fence < (highest.get(sender) ?? 0)) return false;
      highest.set(sender, fence);
      return true;
    },
  };
}
