/**
 * The receiving end of a stream: messages enter the actor's queue once and in order. It acknowledges when the sender
 * retransmits, and after a restart periodically until the first message arrives: the sender may hold nothing more to
 * send.
 */
import type { Gap, Header } from "../../messages/index.ts";
import type { Clock, TimerHandle } from "../clock/index.ts";
import type { DropCounters } from "./drop-counters.ts";
import { RETRANSMIT_AFTER_MS } from "./limits.ts";
import { createSequenceGate, type GapCause, type SequenceGate } from "./sequence-gate.ts";

export interface InputStreamOptions {
  /**
   * Messages that may wait. The window bounds what is in flight, so more than that are duplicates; the sender waits.
   */
  readonly depth: number;
  /** The sender drops older messages in favour of newer ones. */
  readonly isDropping: boolean;
}

/** Where messages wait for the actor. */
export interface InputQueue<M> {
  /** Messages that wait. */
  readonly size: number;
  put(message: M, receivedBytes: number): void;
  /**
   * Takes the place of messages that will not arrive. @param end header of the last of them; its step is 0 where
   * unknown
   */
  putGap(end: Header, cause: GapCause): void;
}

export interface InputStreamDeps<M> {
  readonly clock: Clock;
  readonly drops: DropCounters;
  readonly queue: InputQueue<M>;
  /** Reports the actor's progress, which acknowledges everything consumed so far. */
  readonly acknowledge: () => void;
  /** The sender retransmitted a message that was accepted before: an acknowledgement or an answer was lost. */
  readonly onDuplicate: (sequence: number) => void;
}

export interface InputStream<M> {
  /** Starts after sequence `start`. @param isRestored from a checkpoint: the sender may not have this position yet */
  begin(start: number, isRestored: boolean): void;
  /** @returns whether the stream advanced. */
  accept(message: M, receivedBytes: number): boolean;
  /** @returns whether the stream advanced. */
  skip(gap: Gap): boolean;
  close(): void;
}

export function createInputStream<M extends { readonly header: Header }>(
  { depth, isDropping }: InputStreamOptions,
  { clock, drops, queue, acknowledge, onDuplicate }: InputStreamDeps<M>,
): InputStream<M> {
  let gate: SequenceGate = createSequenceGate({ isDropping });
  let announcement: TimerHandle | undefined;

  const announcePeriodically = (): void => {
    announcement = clock.setTimeout(() => {
      acknowledge();
      announcePeriodically();
    }, RETRANSMIT_AFTER_MS);
  };
  const stopAnnouncing = (): void => {
    if (announcement !== undefined) clock.clearTimeout(announcement);
    announcement = undefined;
  };
  const hasRoom = (): boolean => {
    if (queue.size < depth) return true;
    drops.count("overflow");
    return false;
  };

  return {
    begin(start, isRestored) {
      gate = createSequenceGate({ start, isDropping });
      if (isRestored) announcePeriodically();
    },
    accept(message, receivedBytes) {
      stopAnnouncing();
      if (!hasRoom()) return false;
      const { sequence, fence } = message.header;
      const verdict = gate.check(sequence, fence);
      if (verdict === "accept") {
        queue.put(message, receivedBytes);
        return true;
      }
      drops.count(verdict);
      if (verdict === "duplicate") onDuplicate(sequence);
      return false;
    },
    skip({ first, header }) {
      stopAnnouncing();
      if (!hasRoom()) return false;
      const verdict = gate.skip(first, header.sequence, header.fence);
      if (typeof verdict === "object") {
        queue.putGap(header, verdict.cause);
        return true;
      }
      if (verdict === "duplicate")
        acknowledge(); // the sender retransmits a gap until it is acknowledged
      else drops.count(verdict);
      return false;
    },
    close: stopAnnouncing,
  };
}
