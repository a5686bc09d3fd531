/**
 * The one gradient that a gating block waits for: is it here, was it lost, will it never come? Pure bookkeeping; a block
 * whose source does not make it wait never begins.
 */
import type { BatchMail } from "./block-mail.ts";

export interface AwaitedGradient {
  /** The batch whose gradient is waited for. */
  readonly batch: BatchMail | undefined;
  /** From the moment in which the batch's activation may be heard: a quick neighbour answers before the call returns. */
  begin(batch: BatchMail): void;
  /** The batch's activation was sent. */
  sent(sequence: number): void;
  /** A gradient has come. @returns what it is to the one that is waited for. */
  arrive(sequence: number): "wanted" | "duplicate" | "other";
  /** The gradient that came could not be queued, or has had its turn. */
  release(): void;
  /**
   * The next block has consumed everything up to `consumed`. A gradient that was on its way came before that word, so what is
   * still missing was lost, or belongs to a life of ours before a restart.
   */
  onConsumed(consumed: number): "wait" | "ask-again" | "give-up";
  end(): void;
}

export function createAwaitedGradient(): AwaitedGradient {
  let batch: BatchMail | undefined;
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
      const answer = askedAgain === sequence ? "give-up" : "ask-again";
      askedAgain = sequence;
      return answer;
    },
    end() {
      batch = undefined;
      isAnswered = false;
    },
  };
}
