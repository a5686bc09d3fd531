/** What comes back from the next block: gradients, and what it has consumed. */
import type { Event, Gradient } from "../../messages/index.ts";
import type { DropCounters } from "../../runtime/stream/index.ts";
import type { BlockMessage } from "./block-messages.ts";
import type { BlockOutput } from "./block-output.ts";
import type { BlockState } from "./block-state.ts";

export interface BlockReturnsDeps {
  readonly state: BlockState;
  readonly output: BlockOutput;
  readonly drops: DropCounters;
  /** Into the mailbox. @returns whether it had room */
  readonly put: (message: BlockMessage) => boolean;
}

export interface BlockReturns {
  /** @returns whether the gradient is taken. */
  onGradient(gradient: Gradient, receivedBytes: number): boolean;
  /** Acknowledges what the next block has consumed; of a batch whose gradient is awaited only the gradient counts. */
  onNextEvent(event: Event): void;
}

/** @param isGating a gradient is taken only while it is awaited. */
export function createBlockReturns(
  isGating: boolean,
  { state: { awaited, learner }, output: { activations, drain }, drops, put }: BlockReturnsDeps,
): BlockReturns {
  return {
    onGradient(gradient, receivedBytes) {
      const { sequence } = gradient.header;
      const arrival = isGating ? awaited.arrive(sequence) : "wanted";
      if (arrival !== "wanted") {
        drops.count(arrival === "other" && sequence > learner.consumed ? "late" : "duplicate");
        return false;
      }
      if (put({ kind: "gradient", gradient, receivedBytes })) return true;
      drops.count("overflow");
      awaited.release();
      return false;
    },
    onNextEvent({ fact }) {
      if (fact.kind === "StateEntered") drain.onReceiverState(fact.state);
      if (fact.kind !== "Progress") return;
      const sequence = awaited.batch?.activation.header.sequence ?? Infinity;
      activations.acknowledge(Math.min(fact.consumed, sequence - 1));
      const answer = awaited.onConsumed(fact.consumed);
      if (answer === "ask-again") activations.retransmit(sequence);
      // The next acknowledgement repeats what a full mailbox refuses.
      else if (answer === "abandon" && !put({ kind: "abandon", sequence })) drops.count("overflow");
    },
  };
}
