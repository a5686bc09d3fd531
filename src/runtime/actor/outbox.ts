/**
 * The sending end of an ordered stream over a lossy bus (go-back-N): keeps what the receiver has not yet reported as
 * consumed, and sends it again when there is no progress for a while or the connection came back. With a
 * `SequenceGate` at the other end every message is taken exactly once, in order, and at most a window is ever kept.
 *
 * With `inFlight` it is the sending end of `overload: drop`: only so many are under way, and of those that wait the newest
 * replaceable one takes the place of the others.
 */
import type { Clock, TimerHandle } from "../clock/clock.ts";

export interface OutboxOptions {
  /** Sends everything again after this long without progress, ms; doubles up to eight times while nothing moves. */
  readonly resendAfterMs: number;
  /** Messages under way at a time; the others wait, and replaceable ones give way to newer ones. @default no limit */
  readonly inFlight?: number;
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
  /** Sends and keeps. `message` must not change afterwards. @param isReplaceable may give way to a newer one while it waits */
  post(sequence: number, subject: string, message: Uint8Array, isReplaceable?: boolean): void;
  /** The receiver has consumed everything up to `sequence`: forgets it. */
  acknowledge(sequence: number): void;
  /** Sends again what is kept; only the message of `sequence` when one is named. */
  resend(sequence?: number): void;
  close(): void;
}

const MAXIMUM_BACKOFF = 8;

interface Kept {
  readonly subject: string;
  readonly message: Uint8Array;
  readonly isReplaceable: boolean;
  isSent: boolean;
}

export function createOutbox(
  { resendAfterMs, inFlight = Infinity }: OutboxOptions,
  { clock, send }: OutboxDeps,
): Outbox {
  const kept = new Map<number, Kept>(); // in the order of sequences
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
    for (const { subject, message, isSent } of kept.values()) {
      if (!isSent) break;
      resent += 1;
      send(subject, message);
    }
  };
  /** Sends what waits, as far as there is room. */
  const pump = (): void => {
    let underWay = 0;
    for (const entry of kept.values()) {
      if (!entry.isSent) {
        if (underWay >= inFlight) return;
        entry.isSent = true;
        send(entry.subject, entry.message);
      }
      underWay += 1;
    }
  };

  return {
    get size() {
      return kept.size;
    },
    get resent() {
      return resent;
    },
    post(sequence, subject, message, isReplaceable = false) {
      if (isReplaceable) {
        for (const [key, entry] of kept) if (entry.isReplaceable && !entry.isSent) kept.delete(key);
      }
      kept.set(sequence, { subject, message, isReplaceable, isSent: false });
      pump();
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
      pump();
      arm();
    },
    resend(sequence) {
      if (sequence === undefined) {
        resendAll();
        return;
      }
      const entry = kept.get(sequence);
      if (entry?.isSent !== true) return;
      resent += 1;
      send(entry.subject, entry.message);
    },
    close() {
      disarm();
      kept.clear();
    },
  };
}
