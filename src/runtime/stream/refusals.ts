/**
 * Detects a message that retransmission cannot deliver: the same bytes are refused again and again. Without it the
 * sender retransmits for ever, the stream stops, and nothing but a counter shows why.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import { RETRANSMIT_AFTER_MS } from "./limits.ts";

/** Refusals after which a message is undeliverable. With the outbox's back-off that is 3 + 6 + 12 = 21 s. */
export const MAX_REFUSALS = 4;

/** Refusals in quick succession count once: they are duplicates of one transmission, or a foreign publisher. */
const COUNTED_EVERY_MS = RETRANSMIT_AFTER_MS / 2;

/** Messages remembered; more than the pieces of one frame. */
const REMEMBERED = 8192;

export interface Refusals {
  /** @returns true when the message is undeliverable. */
  add(message: Uint8Array): boolean;
  /** The message was delivered after all. */
  forget(message: Uint8Array): void;
  /** The stream advances: whatever was refused does not block it. */
  clear(): void;
}

export function createRefusals(clock: Clock): Refusals {
  const refused = new Map<string, { readonly count: number; readonly atMs: number }>();
  const keyOf = (message: Uint8Array): string => createHash("sha256").update(message).digest("base64");
  return {
    add(message) {
      const key = keyOf(message);
      const before = refused.get(key);
      const now = clock.now();
      if (before !== undefined && now - before.atMs < COUNTED_EVERY_MS) return false;
      const count = (before?.count ?? 0) + 1;
      refused.set(key, { count, atMs: now });
      const [oldest] = refused.keys();
      if (refused.size > REMEMBERED && oldest !== undefined) refused.delete(oldest);
      return count >= MAX_REFUSALS;
    },
    forget(message) {
      if (refused.size > 0) refused.delete(keyOf(message));
    },
    clear() {
      refused.clear();
    },
  };
}
