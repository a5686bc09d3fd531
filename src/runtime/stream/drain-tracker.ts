/** Drain of an outbox: a sender that shuts down waits until the receiver has acknowledged everything, or is down. */
import type { Outbox } from "./outbox.ts";

export interface DrainTracker {
  /** The receiver entered this lifecycle state. One that is running again may have lost what was in flight. */
  onReceiverState(state: string): void;
  /** Resolves when the receiver has acknowledged everything up to `sequence`, or is down. */
  drain(sequence: number): Promise<void>;
}

export function createDrainTracker(outbox: Outbox): DrainTracker {
  let isReceiverUp = true;
  const draining = new Set<() => void>();
  return {
    onReceiverState(state) {
      isReceiverUp = state === "running" || state === "starting";
      if (state === "running") outbox.retransmit();
      if (isReceiverUp) return;
      for (const resolve of draining) resolve();
      draining.clear();
    },
    drain(sequence) {
      if (!isReceiverUp) return Promise.resolve();
      return new Promise((resolve) => {
        draining.add(resolve);
        void outbox.whenAcknowledged(sequence).then(resolve);
      });
    },
  };
}
