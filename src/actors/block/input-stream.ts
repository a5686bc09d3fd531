/**
 * The input of a block: batches into its mailbox, each once and in order. Says where it stands when the sender repeats
 * itself, and after a return again and again until the sender is heard: what it missed may be all that there is.
 */
import type { Activation, Gap } from "../../messages/index.ts";
import { createSequenceGate, type DropCounters, type SequenceGate } from "../../runtime/stream/index.ts";
import type { Clock, TimerHandle } from "../../runtime/clock/index.ts";
import { RESEND_AFTER_MS } from "../../runtime/stream/index.ts";
import type { BatchMail, PassedMail } from "./block-mail.ts";

export interface InputStreamOptions {
  /** Mails that may wait: the window bounds what can be under way, so more are repeats, and the sender has to wait. */
  readonly depth: number;
  /** The sender leaves out the old for the new. */
  readonly isDropping: boolean;
}

export interface InputStreamDeps {
  readonly clock: Clock;
  readonly drops: DropCounters;
  readonly mailbox: { readonly size: number; put(mail: BatchMail | PassedMail): boolean };
  /** Tells where the block stands. */
  readonly announce: () => void;
  /** The sender has repeated a batch: it waits for something. */
  readonly onRepeat: (sequence: number) => void;
}

export interface InputStream {
  /** Begins behind `start`. @param isBack in another life: the sender may not know yet */
  begin(start: number, isBack: boolean): void;
  take(activation: Activation, receivedBytes: number): void;
  skip(gap: Gap): void;
  close(): void;
}

export function createInputStream(options: InputStreamOptions, deps: InputStreamDeps): InputStream {
  const { clock, drops, mailbox, announce } = deps;
  let gate: SequenceGate = createSequenceGate();
  let announcing: TimerHandle | undefined;

  const announceLater = (): void => {
    announcing = clock.setTimeout(() => {
      announce();
      announceLater();
    }, RESEND_AFTER_MS);
  };
  const hush = (): void => {
    if (announcing !== undefined) clock.clearTimeout(announcing);
    announcing = undefined;
  };
  /** @returns whether there is room. */
  const admit = (): boolean => {
    hush();
    if (mailbox.size < options.depth) return true;
    drops.count("overflow");
    return false;
  };

  return {
    begin(start, isBack) {
      gate = createSequenceGate({ start, isDropping: options.isDropping });
      if (isBack) announceLater();
    },
    take(activation, receivedBytes) {
      if (!admit()) return;
      const { sequence, fence } = activation.header;
      const verdict = gate.check(sequence, fence);
      if (verdict === "accept") {
        mailbox.put({ kind: "batch", activation, receivedBytes });
        return;
      }
      drops.count(verdict);
      if (verdict === "duplicate") deps.onRepeat(sequence);
    },
    skip({ first, header }) {
      if (!admit()) return;
      const verdict = gate.skip(first, header.sequence, header.fence);
      if (verdict === "duplicate")
        announce(); // the sender asks whether it is known
      else if (verdict === "out-of-order") drops.count(verdict);
      else mailbox.put({ kind: "batch", passed: header, cause: verdict.cause });
    },
    close: hush,
  };
}
