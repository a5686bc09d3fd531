/** What a sender and the receiver of its outbox owe each other when one of them comes or goes. */
import type { Outbox } from "./outbox.ts";

export interface Handover {
  /** The receiver has entered this state: of one that is (back) there, what is under way may be lost. */
  onReceiver(state: string): void;
  /** For a sender that leaves: resolves when the receiver has consumed everything up to `sequence`, or leaves as well. */
  drain(sequence: number): Promise<void>;
}

export function createHandover(outbox: Outbox): Handover {
  let isThere = true;
  let onGone: () => void = () => undefined;
  return {
    onReceiver(state) {
      isThere = state === "running" || state === "starting";
      if (state === "running") outbox.resend();
      if (!isThere) onGone();
    },
    drain(sequence) {
      if (!isThere) return Promise.resolve();
      return new Promise((resolve) => {
        onGone = resolve;
        void outbox.whenHeard(sequence).then(resolve);
      });
    },
  };
}
