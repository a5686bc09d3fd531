/**
 * The sending end of an ordered stream over a lossy bus (go-back-N): keeps what the receiver has not yet reported as
 * consumed, and sends it again when there is no progress for a while or the connection came back. With a
 * `SequenceGate` at the other end every message is taken exactly once, in order, and at most a window is ever kept.
 *
 * A receiver cannot know what will never come: what went with a former life of the sender, was consumed by a former life of
 * the receiver, gave way to newer ones, or is missing from the sender's own input. Where `sendGap` is given, every hole in
 * what is kept is told in its place, again and again like a message, until the receiver is past it (as the GAP submessage of
 * DDSI-RTPS 2.5, section 8.3.8.4).
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
  /** Tells that nothing of `first` to `last.sequence` will come; the step is 0 where it is not known. @default the receiver needs no order */
  readonly sendGap?: (first: number, last: StreamPosition) => void;
}

/** Where in the stream: sequence and training step, both counted from 1; 0: before the first. */
export interface StreamPosition {
  readonly sequence: number;
  readonly step: number;
}

export interface Outbox {
  /** Messages kept. */
  readonly size: number;
  /** Messages sent again so far. */
  readonly resent: number;
  /** Up to where the receiver has reported everything as consumed. */
  readonly heard: number;
  /** Begins a life behind `at`, of which nothing is kept. @param heard up to where the receiver is known to be. @default 0 */
  begin(at: StreamPosition, heard?: number): void;
  /** Sends and keeps. `message` must not change afterwards. @param isReplaceable may give way to a newer one while it waits */
  post(at: StreamPosition, subject: string, message: Uint8Array, isReplaceable?: boolean): void;
  /** Goes on behind `at`: what was not posted up to there never will be. */
  skip(at: StreamPosition): void;
  /** The receiver has consumed everything up to `sequence`: forgets it. Less than before: it has gone back in a new life. */
  acknowledge(sequence: number): void;
  /** Whether the message of `sequence` is kept. */
  keeps(sequence: number): boolean;
  /** Sends again what is kept; only the message of `sequence` when one is named. */
  resend(sequence?: number): void;
  /** Resolves when the receiver has consumed everything up to `sequence`, or at `close`. */
  whenHeard(sequence: number): Promise<void>;
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
  { clock, send, sendGap }: OutboxDeps,
): Outbox {
  const kept = new Map<number, Kept>(); // in the order of sequences
  const waiting: { readonly sequence: number; readonly resolve: () => void }[] = [];
  let end: StreamPosition = { sequence: 0, step: 0 };
  let sentTo = 0;
  let heard = 0;
  let resent = 0;
  let backoff = 1;
  let timer: TimerHandle | undefined;

  const moveTo = ({ sequence, step }: StreamPosition): void => {
    if (sequence > end.sequence) end = { sequence, step };
  };
  const disarm = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer);
    timer = undefined;
  };
  const arm = (): void => {
    const isPending = kept.size > 0 || (sendGap !== undefined && heard < end.sequence);
    if (timer !== undefined || !isPending) return;
    timer = clock.setTimeout(() => {
      timer = undefined;
      backoff = Math.min(backoff * 2, MAXIMUM_BACKOFF);
      resendAll();
      arm();
    }, resendAfterMs * backoff);
  };
  const tellGap = (first: number, last: StreamPosition): void => {
    if (first <= last.sequence) sendGap?.(first, last);
  };
  /** From the very first: what the receiver has, and what it lacks, may not be what was last heard. */
  const resendAll = (): void => {
    let next = 1;
    for (const [sequence, { subject, message, isSent }] of kept) {
      if (!isSent) return;
      tellGap(next, { sequence: sequence - 1, step: 0 });
      resent += 1;
      send(subject, message);
      next = sequence + 1;
    }
    tellGap(next, end);
  };
  /** Sends what waits, as far as there is room. */
  const pump = (): void => {
    let underWay = 0;
    for (const [sequence, entry] of kept) {
      if (!entry.isSent) {
        if (underWay >= inFlight) return;
        tellGap(sentTo + 1, { sequence: sequence - 1, step: 0 });
        entry.isSent = true;
        sentTo = sequence;
        send(entry.subject, entry.message);
      }
      underWay += 1;
    }
    tellGap(sentTo + 1, end);
    sentTo = end.sequence;
  };
  const wake = (isClosing: boolean): void => {
    const isDue = ({ sequence }: { readonly sequence: number }): boolean => isClosing || sequence <= heard;
    for (const { resolve } of waiting.filter(isDue)) resolve();
    waiting.splice(0, waiting.length, ...waiting.filter((each) => !isDue(each)));
  };

  return {
    get size() {
      return kept.size;
    },
    get resent() {
      return resent;
    },
    get heard() {
      return heard;
    },
    begin(at, known = 0) {
      moveTo(at);
      heard = known;
      if (heard >= end.sequence) sentTo = end.sequence;
      pump();
      arm();
    },
    post(at, subject, message, isReplaceable = false) {
      if (isReplaceable) {
        for (const [key, entry] of kept) if (entry.isReplaceable && !entry.isSent) kept.delete(key);
      }
      kept.set(at.sequence, { subject, message, isReplaceable, isSent: false });
      moveTo(at);
      pump();
      arm();
    },
    skip(at) {
      moveTo(at);
      pump();
      arm();
    },
    acknowledge(sequence) {
      let hasMoved = sequence !== heard;
      heard = sequence;
      for (const key of kept.keys()) {
        if (key > sequence) break;
        kept.delete(key);
        hasMoved = true;
      }
      if (!hasMoved) return;
      backoff = 1;
      wake(false);
      disarm();
      pump();
      arm();
    },
    keeps: (sequence) => kept.has(sequence),
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
    whenHeard: (sequence) =>
      new Promise((resolve) => {
        waiting.push({ sequence, resolve });
        wake(false);
      }),
    close() {
      disarm();
      kept.clear();
      wake(true);
    },
  };
}
