/** Outbox and gate together: exactly once and in order over a channel that loses, doubles and reorders. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createFenceGuard,
  createOutbox,
  createSequenceGate,
  FENCES_PER_SECOND,
} from "../../../../src/runtime/stream/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const WINDOW = 4;
const RETRANSMIT_AFTER_MS = 100;
const FENCE = 7;

/** Every sequence is a training step. */
const at = (sequence: number) => ({ sequence, step: sequence });

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
          if (fate === "delay" && taken.length > 0) inFlight.unshift(sequence);
          else inFlight.push(sequence, ...(fate === "double" ? [sequence] : []));
        };
        const outbox = createOutbox({ retransmitAfterMs: RETRANSMIT_AFTER_MS }, { clock, send });
        let posted = 0;
        for (let round = 0; taken.length < total && round < 2_000; round += 1) {
          while (posted < total && posted - gate.last < WINDOW) {
            posted += 1;
            outbox.post(at(posted), "subject", Uint8Array.of(posted));
          }
          expect(outbox.size).toBeLessThanOrEqual(WINDOW);
          const sequence = inFlight.shift();
          if (sequence === undefined) {
            await clock.advance(RETRANSMIT_AFTER_MS);
          } else {
            if (gate.check(sequence, FENCE) === "accept") taken.push(sequence);
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
    const outbox = createOutbox({ retransmitAfterMs: 100 }, { clock, send: () => sent.push(clock.now()) });
    outbox.post(at(1), "subject", Uint8Array.of(1));
    await clock.advance(100 + 200 + 400 + 800 + 800);
    expect(sent).toEqual([0, 100, 300, 700, 1_500, 2_300]);
    outbox.post(at(2), "subject", Uint8Array.of(2));
    outbox.acknowledge(1);
    sent.length = 0;
    await clock.advance(100);
    expect(sent).toHaveLength(1);
    expect(outbox.retransmitted).toBe(6);
    outbox.close();
  });

  it("resends one sequence when it is named, and none that is forgotten", () => {
    const sent: number[] = [];
    const outbox = createOutbox(
      { retransmitAfterMs: 100 },
      { clock: simulatedClock(), send: (_, [first = 0]) => sent.push(first) },
    );
    for (const sequence of [1, 2, 3]) outbox.post(at(sequence), "subject", Uint8Array.of(sequence));
    outbox.acknowledge(1);
    sent.length = 0;
    outbox.retransmit(1);
    outbox.retransmit(3);
    outbox.retransmit();
    expect(sent).toEqual([3, 2, 3]);
    expect(outbox.retransmitted).toBe(3);
    expect([1, 2].map((sequence) => outbox.keeps(sequence))).toEqual([false, true]);
  });
});

describe("createOutbox with gaps", () => {
  /** What was sent, in order: 3, or "1-2". */
  const scene = () => {
    const sent: (number | string)[] = [];
    const clock = simulatedClock();
    const outbox = createOutbox(
      { retransmitAfterMs: 100 },
      {
        clock,
        send: (_, [first = 0]) => sent.push(first),
        sendGap: (first, { sequence, step }) => sent.push(`${first}-${sequence}${step > 0 ? ` at ${step}` : ""}`),
      },
    );
    const post = (sequence: number): void => {
      outbox.post(at(sequence), "subject", Uint8Array.of(sequence));
    };
    return { sent, clock, outbox, post };
  };

  it("begins with nothing of what was before, and says so until that is heard", async () => {
    const { sent, clock, outbox, post } = scene();
    outbox.begin(at(4));
    await clock.advance(100);
    post(5);
    outbox.retransmit();
    expect(sent).toEqual(["1-4 at 4", "1-4 at 4", 5, "1-4", 5]);
    outbox.acknowledge(4);
    sent.length = 0;
    await clock.advance(100);
    expect(sent).toEqual(["1-4", 5]);
    outbox.acknowledge(5);
    expect(clock.pendingTimers).toBe(0);
  });

  it("tells a hole in its place, and one at the end", () => {
    const { sent, outbox, post } = scene();
    for (const sequence of [1, 2, 5]) post(sequence);
    outbox.skip(at(7));
    outbox.skip(at(6));
    expect(sent).toEqual([1, 2, "3-4", 5, "6-7 at 7"]);
    sent.length = 0;
    outbox.acknowledge(1);
    outbox.retransmit();
    expect(sent).toEqual(["1-1", 2, "3-4", 5, "6-7 at 7"]);
  });

  it("tells a receiver that has gone back what it will not get again", async () => {
    const { sent, clock, outbox, post } = scene();
    for (const sequence of [1, 2, 3]) post(sequence);
    outbox.acknowledge(3);
    expect(clock.pendingTimers).toBe(0);
    sent.length = 0;
    outbox.acknowledge(1);
    await clock.advance(100);
    expect(sent).toEqual(["1-3 at 3"]);
    outbox.acknowledge(3);
    expect(clock.pendingTimers).toBe(0);
  });

  it("whenAcknowledged resolves when the receiver is there, and at the end", async () => {
    const { outbox, post } = scene();
    for (const sequence of [1, 2, 3]) post(sequence);
    const heard: number[] = [];
    const waits = [1, 2, 3].map(async (sequence) => {
      await outbox.whenAcknowledged(sequence);
      heard.push(sequence);
    });
    outbox.acknowledge(2);
    await waits[1];
    expect(heard).toEqual([1, 2]);
    outbox.close();
    await Promise.all(waits);
    expect(heard).toEqual([1, 2, 3]);
  });
});

describe("createOutbox after close", () => {
  it("sets no timer, and resolves whoever waits for an acknowledgement", async () => {
    const clock = simulatedClock();
    const outbox = createOutbox({ retransmitAfterMs: 100 }, { clock, send: () => undefined, sendGap: () => undefined });
    outbox.close();
    outbox.post(at(1), "subject", Uint8Array.of(1));
    outbox.skip(at(2));
    outbox.acknowledge(0);
    await outbox.whenAcknowledged(2);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("createOutbox with a number in flight", () => {
  const scene = () => {
    const sent: number[] = [];
    const clock = simulatedClock();
    const outbox = createOutbox(
      { retransmitAfterMs: 100, inFlight: 2 },
      { clock, send: (_, [first = 0]) => sent.push(first) },
    );
    const post = (sequence: number, isReplaceable = true): void => {
      outbox.post(at(sequence), "subject", Uint8Array.of(sequence), isReplaceable);
    };
    return { sent, clock, outbox, post };
  };

  it("lets the newest take the place of what waits, and sends it when there is room", () => {
    const { sent, outbox, post } = scene();
    for (const sequence of [1, 2, 3, 4, 5]) post(sequence);
    expect(sent).toEqual([1, 2]);
    expect(outbox.size).toBe(3);
    outbox.acknowledge(1);
    expect(sent).toEqual([1, 2, 5]);
    outbox.acknowledge(5);
    expect(outbox.size).toBe(0);
  });

  it("gives up nothing that may not be replaced, and keeps the order", () => {
    const { sent, outbox, post } = scene();
    for (const sequence of [1, 2, 3]) post(sequence);
    for (const sequence of [4, 5]) post(sequence, false);
    outbox.acknowledge(2);
    expect(sent).toEqual([1, 2, 3, 4]);
    outbox.acknowledge(3);
    expect(sent).toEqual([1, 2, 3, 4, 5]);
  });

  it("repeats only what was sent", async () => {
    const { sent, clock, post } = scene();
    for (const sequence of [1, 2, 3]) post(sequence);
    sent.length = 0;
    await clock.advance(100);
    expect(sent).toEqual([1, 2]);
  });
});

describe("createSequenceGate", () => {
  it("refuses what was seen and what comes too early", () => {
    const gate = createSequenceGate({ start: 4 });
    expect([4, 5, 7, 6, 6, 7].map((sequence) => gate.check(sequence, FENCE))).toEqual([
      "duplicate",
      "accept",
      "out-of-order",
      "accept",
      "duplicate",
      "accept",
    ]);
  });

  it("passes over what the sender does not have, where it stands and no earlier", () => {
    const gate = createSequenceGate({ start: 4 });
    expect(gate.skip(1, 4, FENCE)).toBe("duplicate");
    expect(gate.skip(6, 8, FENCE)).toBe("out-of-order");
    expect(gate.skip(1, 8, FENCE)).toEqual({ cause: "restarted" });
    expect([8, 9].map((sequence) => gate.check(sequence, FENCE))).toEqual(["duplicate", "accept"]);
    expect(gate.skip(10, 10, FENCE)).toEqual({ cause: "sender-restarted" });
    expect(gate.last).toBe(10);
  });

  it("where the old gives way to the new, tells that from a restart of the sender", () => {
    const gate = createSequenceGate({ isDropping: true });
    gate.check(1, FENCE);
    expect(gate.skip(2, 3, FENCE)).toEqual({ cause: "overload" });
    expect(gate.skip(4, 6, FENCE + 1)).toEqual({ cause: "sender-restarted" });
  });
});

describe("createFenceGuard", () => {
  it("admits of each sender only its newest incarnation", () => {
    const guard = createFenceGuard(0);
    expect(guard.admit("block-0", 5)).toBe(true);
    expect(guard.admit("block-1", 2)).toBe(true);
    expect(guard.admit("block-0", 4)).toBe(false);
    expect(guard.admit("block-0", 6)).toBe(true);
    expect(guard.admit("block-0", 5)).toBe(false);
  });

  it("rejects a token that no lease can have granted, and admits the real holder after it", () => {
    const own = Math.floor(Date.UTC(2026, 0, 1) / 1000) * FENCES_PER_SECOND;
    const guard = createFenceGuard(own);
    expect(guard.admit("block-0", Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(guard.admit("block-0", own - 7)).toBe(true);
    const inFiveYears = own + 5 * 366 * 86_400 * FENCES_PER_SECOND;
    expect(guard.admit("block-0", inFiveYears)).toBe(true);
  });

  it("sets no bound for a receiver without a lease, which only observes", () => {
    expect(createFenceGuard(0).admit("block-0", Number.MAX_SAFE_INTEGER)).toBe(true);
  });
});
