/**
 * The sending end of an ordered stream over a lossy bus (go-back-N): keeps what the receiver has not yet reported as
 * consumed, and sends it again when there is no progress for a while or the connection came back. With a
 * `SequenceGate` at the other end every message is taken exactly once, in order, and at most a window is ever kept.
 */
import type { Clock, TimerHandle } from "../clock/clock.ts";

export interface OutboxOptions {
  /** Sends everything again after this long without progress, ms; doubles up to eight times while nothing moves. */
  readonly resendAfterMs: number;
}

export interface OutboxDeps {
  readonly clock: Clock;
  readonly send: (subject: string, message: Uint8Array) => void;
}

export interface Outbox {
  /** Messages kept. */
  readonly size: number;
  /** Messages sent again so far. */
  readonly resent: number;
  /** Sends and keeps. `message` must not change afterwards. */
  post(sequence: number, subject: string, message: Uint8Array): void;
  /** The receiver has consumed everything up to `sequence`: forgets it. */
  acknowledge(sequence: number): void;
  /** Sends again what is kept; only the message of `sequence` when one is named. */
  resend(sequence?: number): void;
  close(): void;
}

const MAXIMUM_BACKOFF = 8;

export function createOutbox({ resendAfterMs }: OutboxOptions, { clock, send }: OutboxDeps): Outbox {
  const kept = new Map<number, { readonly subject: string; readonly message: Uint8Array }>();
  let resent = 0;
  let backoff = 1;
  let timer: TimerHandle | undefined;

  const disarm = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer);
    timer = undefined;
  };
  const arm = (): void => {
    if (timer !== undefined || kept.size === 0) return;
    timer = clock.setTimeout(() => {
      timer = undefined;
      backoff = Math.min(backoff * 2, MAXIMUM_BACKOFF);
      resendAll();
      arm();
    }, resendAfterMs * backoff);
  };
  const resendAll = (): void => {
    for (const { subject, message } of kept.values()) {
      resent += 1;
      send(subject, message);
    }
  };

  return {
    get size() {
      return kept.size;
    },
    get resent() {
      return resent;
    },
    post(sequence, subject, message) {
      kept.set(sequence, { subject, message });
      send(subject, message);
      arm();
    },
    acknowledge(sequence) {
      let hasMoved = false;
      for (const key of kept.keys()) {
        if (key > sequence) break;
        kept.delete(key);
        hasMoved = true;
      }
      if (!hasMoved) return;
      backoff = 1;
      disarm();
      arm();
    },
    resend(sequence) {
      if (sequence === undefined) {
        resendAll();
        return;
      }
      const entry = kept.get(sequence);
      if (entry === undefined) return;
      resent += 1;
      send(entry.subject, entry.message);
    },
    close() {
      disarm();
      kept.clear();
    },
  };
}
