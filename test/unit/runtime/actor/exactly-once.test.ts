/** Outbox and gate together: exactly once and in order over a channel that loses, doubles and reorders. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutbox, createSequenceGate } from "../../../../src/runtime/actor/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const WINDOW = 4;
const RESEND_AFTER_MS = 100;

/** What the channel does with one transmission. */
type Fate = "deliver" | "lose" | "double" | "delay";

describe("createOutbox with createSequenceGate", () => {
  it("deliver every sequence once and in order, whatever the channel does, and keep no more than the window", async () => {
    const fates = fc.array(fc.constantFrom<Fate>("deliver", "lose", "double", "delay"), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(fates, fc.integer({ min: 1, max: 25 }), async (plan, total) => {
        const clock = simulatedClock();
        const gate = createSequenceGate();
        const taken: number[] = [];
        const inFlight: number[] = [];
        let transmissions = 0;
        const send = (_: string, message: Uint8Array): void => {
          const [sequence = 0] = message;
          const fate = plan[transmissions] ?? "deliver"; // in the end the channel is good
          transmissions += 1;
          if (fate === "lose") return;
          if (fate === "delay") inFlight.unshift(sequence);
          else inFlight.push(sequence, ...(fate === "double" ? [sequence] : []));
        };
        const outbox = createOutbox({ resendAfterMs: RESEND_AFTER_MS }, { clock, send });
        let posted = 0;
        for (let round = 0; taken.length < total && round < 2_000; round += 1) {
          while (posted < total && posted - gate.last < WINDOW) {
            posted += 1;
            outbox.post(posted, "subject", Uint8Array.of(posted));
          }
          expect(outbox.size).toBeLessThanOrEqual(WINDOW);
          const sequence = inFlight.shift();
          if (sequence === undefined) {
            await clock.advance(RESEND_AFTER_MS);
          } else {
            if (gate.check(sequence) === "accept") taken.push(sequence);
            outbox.acknowledge(gate.last);
          }
        }
        expect(taken).toEqual(Array.from({ length: total }, (_, index) => index + 1));
        expect(outbox.size).toBe(0);
        outbox.close();
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

describe("createOutbox", () => {
  it("waits longer each time nothing moves, up to eight times as long, and starts anew on progress", async () => {
    const clock = simulatedClock();
    const sent: number[] = [];
    const outbox = createOutbox({ resendAfterMs: 100 }, { clock, send: () => sent.push(clock.now()) });
    outbox.post(1, "subject", Uint8Array.of(1));
    await clock.advance(100 + 200 + 400 + 800 + 800);
    expect(sent).toEqual([0, 100, 300, 700, 1_500, 2_300]);
    outbox.post(2, "subject", Uint8Array.of(2));
    outbox.acknowledge(1);
    sent.length = 0;
    await clock.advance(100);
    expect(sent).toHaveLength(1);
    expect(outbox.resent).toBe(6);
    outbox.close();
  });

  it("resends one sequence when it is named, and none that is forgotten", () => {
    const sent: number[] = [];
    const outbox = createOutbox(
      { resendAfterMs: 100 },
      { clock: simulatedClock(), send: (_, [first = 0]) => sent.push(first) },
    );
    for (const sequence of [1, 2, 3]) outbox.post(sequence, "subject", Uint8Array.of(sequence));
    outbox.acknowledge(1);
    sent.length = 0;
    outbox.resend(1);
    outbox.resend(3);
    outbox.resend();
    expect(sent).toEqual([3, 2, 3]);
  });
});

describe("createSequenceGate", () => {
  it("refuses what was seen and what comes too early", () => {
    const gate = createSequenceGate({ start: 4 });
    expect([4, 6, 5, 5, 6].map((sequence) => gate.check(sequence))).toEqual([
      "duplicate",
      "out-of-order",
      "accept",
      "duplicate",
      "accept",
    ]);
    expect(gate.skipped).toBe(0);
  });

  it("rejoining: takes the first beyond its start, counts what it skipped, then insists on order", () => {
    const gate = createSequenceGate({ start: 4, isRejoining: true });
    expect([3, 9, 11, 10].map((sequence) => gate.check(sequence))).toEqual([
      "duplicate",
      "accept",
      "out-of-order",
      "accept",
    ]);
    expect(gate.skipped).toBe(4);
  });
});
