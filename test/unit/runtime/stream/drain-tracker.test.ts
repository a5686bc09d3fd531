import { describe, expect, it } from "vitest";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { createDrainTracker, createOutbox } from "../../../../src/runtime/stream/index.ts";

function scene() {
  const clock = simulatedClock();
  const sent: number[] = [];
  const outbox = createOutbox({ retransmitAfterMs: 100 }, { clock, send: (_, [first = 0]) => sent.push(first) });
  const tracker = createDrainTracker(outbox);
  for (const sequence of [1, 2]) outbox.post({ sequence, step: sequence }, "subject", Uint8Array.of(sequence));
  sent.length = 0;
  const drained: number[] = [];
  const drain = (sequence: number): void => void tracker.drain(sequence).then(() => drained.push(sequence));
  return { clock, sent, outbox, tracker, drained, drain, settle: () => clock.advance(0) };
}

describe("createDrainTracker", () => {
  it("drains when the receiver has acknowledged everything up to the sequence", async () => {
    const { outbox, drained, drain, settle } = scene();
    drain(2);
    outbox.acknowledge(1);
    await settle();
    expect(drained).toEqual([]);
    outbox.acknowledge(2);
    await settle();
    expect(drained).toEqual([2]);
  });

  it.each(["draining", "saving", "closing", "left", "failed", "fenced"])(
    "drains every waiter when the receiver enters %s",
    async (state) => {
      const { tracker, drained, drain, settle } = scene();
      for (const sequence of [1, 2]) drain(sequence);
      tracker.onReceiverState("restoring");
      await settle();
      expect(drained).toEqual([]);
      tracker.onReceiverState(state);
      await settle();
      expect(drained).toEqual([1, 2]);
      drain(2); // nobody acknowledges any more
      await settle();
      expect(drained).toEqual([1, 2, 2]);
    },
  );

  it("retransmits when the receiver runs again, and waits for it again", async () => {
    const { tracker, sent, drained, drain, settle } = scene();
    tracker.onReceiverState("failed");
    tracker.onReceiverState("restoring");
    expect(sent).toEqual([]);
    tracker.onReceiverState("catchingUp");
    expect(sent).toEqual([1, 2]);
    drain(2);
    await settle();
    expect(drained).toEqual([]);
  });
});
