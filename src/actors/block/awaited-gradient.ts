/**
 * The one gradient that a gating block awaits: has it arrived, was it lost, will it never arrive? Plain bookkeeping; a block
 * whose source is not gating never begins.
 */
import type { BatchMessage } from "./block-messages.ts";

export interface AwaitedGradient {
  /** The batch whose gradient is awaited. */
  readonly batch: BatchMessage | undefined;
  /** Before the batch's activation is sent: a fast neighbour answers before the call returns. */
  begin(batch: BatchMessage): void;
  /** The batch's activation was sent. */
  sent(sequence: number): void;
  /** A gradient has arrived. @returns how it relates to the awaited one. */
  arrive(sequence: number): "wanted" | "duplicate" | "other";
  /** The gradient that arrived was not queued, or is handled. */
  release(): void;
  /**
   * The next block has consumed everything up to `consumed`. A gradient in flight arrives before that acknowledgement, so
   * one that is still missing was lost, or belongs to an incarnation before a restart.
   */
  onConsumed(consumed: number): "wait" | "ask-again" | "abandon";
  end(): void;
}

export function createAwaitedGradient(): AwaitedGradient {
  let batch: BatchMessage | undefined;
  let isAnswered = false;
  let sentSequence = 0;
  let askedAgain = 0;

  return {
    get batch() {
      return batch;
    },
    begin(begun) {
      batch = begun;
      isAnswered = false;
    },
    sent(sequence) {
      sentSequence = sequence;
    },
    arrive(sequence) {
      if (batch?.activation.header.sequence !== sequence) return "other";
      if (isAnswered) return "duplicate";
      isAnswered = true;
      return "wanted";
    },
    release() {
      isAnswered = false;
    },
    onConsumed(consumed) {
      const sequence = batch?.activation.header.sequence;
      if (sequence === undefined || isAnswered || consumed < sequence || sentSequence < sequence) return "wait";
      const answer = askedAgain === sequence ? "abandon" : "ask-again";
      askedAgain = sequence;
      return answer;
    },
    end() {
      batch = undefined;
      isAnswered = false;
    },
  };
}
