/** Drain of an outbox: a sender that shuts down waits until the receiver has acknowledged everything, or is down. */
import type { Outbox } from "./outbox.ts";

/** States of an actor that takes no message any more. */
const DOWN: ReadonlySet<string> = new Set(["draining", "saving", "closing", "left", "fenced", "failed"]);
/** States of an actor that takes none yet. */
const RESTORING = "restoring";

export interface DrainTracker {
  /** The receiver entered this lifecycle state. One that is running again may have lost what was in flight. */
  onReceiverState(state: string): void;
  /** Resolves when the receiver has acknowledged everything up to `sequence`, or is down. */
  drain(sequence: number): Promise<void>;
}

export function createDrainTracker(outbox: Outbox): DrainTracker {
  let isReceiverUp = true;
  let isRestoring = false;
  const draining = new Set<() => void>();
  return {
    onReceiverState(state) {
      const wasRunning = isReceiverUp && !isRestoring;
      isReceiverUp = !DOWN.has(state);
      isRestoring = state === RESTORING;
      if (isReceiverUp) {
        if (!isRestoring && !wasRunning) outbox.retransmit();
        return;
      }
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
