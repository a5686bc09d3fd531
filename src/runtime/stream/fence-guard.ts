/**
 * Rejects messages of an actor that has lost its lease: of each sender only the highest fencing token seen so far is
 * admitted. Sequence numbers cannot detect a stale holder: its successor starts at its checkpoint, behind what the stale
 * holder had already sent.
 */
export interface FenceGuard {
  /** @returns false for a message of an earlier incarnation. */
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
