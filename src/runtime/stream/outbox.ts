/**
 * The sending end of an ordered stream over a lossy bus (go-back-N): keeps what the receiver has not acknowledged, and
 * retransmits it when there is no progress for a while or the connection is restored. With a `SequenceGate` at the
 * other end every message is delivered exactly once and in order, and at most a window is kept.
 *
 * A receiver cannot detect messages that will never arrive: messages that were lost with an earlier incarnation of the
 * sender, were consumed by an earlier incarnation of the receiver, were replaced by newer ones, or are missing from the
 * sender's own input. Where `sendGap` is given, every hole in what is kept is declared in its place and retransmitted
 * like a message until the receiver has passed it (as the GAP submessage of DDSI-RTPS 2.5, section 8.3.8.4).
 *
 * With `inFlight` it is the sending end of `overload: drop`: only so many messages are in flight, and of those that
 * wait the newest replaceable one takes the place of the others.
 */
import type { Clock, TimerHandle } from "../clock/clock.ts";

export interface OutboxOptions {
  /** Retransmits everything after this time without progress, ms; doubles up to eight times while there is none. */
  readonly retransmitAfterMs: number;
  /** Messages in flight at a time; the others wait, and newer ones replace the replaceable ones. @default no limit */
  readonly inFlight?: number;
}

export interface OutboxDeps {
  readonly clock: Clock;
  readonly send: (subject: string, message: Uint8Array) => void;
  /**
   * Declares that nothing of `first` to `last.sequence` will arrive; the step is 0 where it is unknown.
   * @default the receiver needs no order
   */
  readonly sendGap?: (first: number, last: StreamPosition) => void;
}

/** Position in the stream: sequence and training step, both counted from 1; 0: before the first. */
export interface StreamPosition {
  readonly sequence: number;
  readonly step: number;
}

export interface Outbox {
  /** Messages kept. */
  readonly size: number;
  /** Messages retransmitted so far. */
  readonly retransmitted: number;
  /** Sequence up to which the receiver has acknowledged everything. */
  readonly acknowledged: number;
  /**
   * Starts an incarnation after `at`; nothing before it is kept. @param acknowledged known position of the receiver.
   * @default 0
   */
  begin(at: StreamPosition, acknowledged?: number): void;
  /**
   * Sends and keeps. `message` must not change afterwards. @param isReplaceable a newer one may replace it while it
   * waits
   */
  post(at: StreamPosition, subject: string, message: Uint8Array, isReplaceable?: boolean): void;
  /** Continues after `at`: what was not posted up to there never will be. */
  skip(at: StreamPosition): void;
  /**
   * The receiver has consumed everything up to `sequence`: forgets it. Less than before: it restarted from a
   * checkpoint.
   */
  acknowledge(sequence: number): void;
  /** Whether the message of `sequence` is kept. */
  keeps(sequence: number): boolean;
  /** Retransmits what is kept; only the message of `sequence` when one is named. */
  retransmit(sequence?: number): void;
  /** Resolves when the receiver has acknowledged everything up to `sequence`, or at `close`. */
  whenAcknowledged(sequence: number): Promise<void>;
  /** Forgets everything; nothing is retransmitted afterwards. */
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
  { retransmitAfterMs, inFlight = Infinity }: OutboxOptions,
  { clock, send, sendGap }: OutboxDeps,
): Outbox {
  const kept = new Map<number, Kept>(); // in the order of sequences
  const waiting: { readonly sequence: number; readonly resolve: () => void }[] = [];
  let end: StreamPosition = { sequence: 0, step: 0 };
  let sentTo = 0;
  let acknowledged = 0;
  let retransmitted = 0;
  let backoff = 1;
  let timer: TimerHandle | undefined;
  let isClosed = false;

  const moveTo = ({ sequence, step }: StreamPosition): void => {
    if (sequence > end.sequence) end = { sequence, step };
  };
  const disarm = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer);
    timer = undefined;
  };
  const arm = (): void => {
    const isPending = kept.size > 0 || (sendGap !== undefined && acknowledged < end.sequence);
    if (timer !== undefined || !isPending || isClosed) return;
    timer = clock.setTimeout(() => {
      timer = undefined;
      backoff = Math.min(backoff * 2, MAXIMUM_BACKOFF);
      retransmitAll();
      arm();
    }, retransmitAfterMs * backoff);
  };
  const declareGap = (first: number, last: StreamPosition): void => {
    if (first <= last.sequence) sendGap?.(first, last);
  };
  /** From sequence 1: the receiver's position may differ from the last acknowledgement. */
  const retransmitAll = (): void => {
    let next = 1;
    for (const [sequence, { subject, message, isSent }] of kept) {
      if (!isSent) return;
      declareGap(next, { sequence: sequence - 1, step: 0 });
      retransmitted += 1;
      send(subject, message);
      next = sequence + 1;
    }
    declareGap(next, end);
  };
  /** Sends messages that wait, up to the limit in flight. */
  const pump = (): void => {
    let inFlightNow = 0;
    for (const [sequence, entry] of kept) {
      if (!entry.isSent) {
        if (inFlightNow >= inFlight) return;
        declareGap(sentTo + 1, { sequence: sequence - 1, step: 0 });
        entry.isSent = true;
        sentTo = sequence;
        send(entry.subject, entry.message);
      }
      inFlightNow += 1;
    }
    declareGap(sentTo + 1, end);
    sentTo = end.sequence;
  };
  const wake = (): void => {
    const isDue = ({ sequence }: { readonly sequence: number }): boolean => isClosed || sequence <= acknowledged;
    for (const { resolve } of waiting.filter(isDue)) resolve();
    waiting.splice(0, waiting.length, ...waiting.filter((each) => !isDue(each)));
  };

  return {
    get size() {
      return kept.size;
    },
    get retransmitted() {
      return retransmitted;
    },
    get acknowledged() {
      return acknowledged;
    },
    begin(at, known = 0) {
      moveTo(at);
      acknowledged = known;
      if (acknowledged >= end.sequence) sentTo = end.sequence;
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
      let hasMoved = sequence !== acknowledged;
      acknowledged = sequence;
      for (const key of kept.keys()) {
        if (key > sequence) break;
        kept.delete(key);
        hasMoved = true;
      }
      if (!hasMoved) return;
      backoff = 1;
      wake();
      disarm();
      pump();
      arm();
    },
    keeps: (sequence) => kept.has(sequence),
    retransmit(sequence) {
      if (sequence === undefined) {
        retransmitAll();
        return;
      }
      const entry = kept.get(sequence);
      if (entry?.isSent !== true) return;
      retransmitted += 1;
      send(entry.subject, entry.message);
    },
    whenAcknowledged: (sequence) =>
      new Promise((resolve) => {
        waiting.push({ sequence, resolve });
        wake();
      }),
    close() {
      isClosed = true;
      disarm();
      kept.clear();
      wake();
    },
  };
}
