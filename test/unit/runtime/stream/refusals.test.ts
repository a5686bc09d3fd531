import { describe, expect, it } from "vitest";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { MAX_REFUSALS, RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { createRefusals } from "../../../../src/runtime/stream/refusals.ts";

async function scene() {
  const clock = simulatedClock();
  await clock.advance(60_000);
  return { clock, refusals: createRefusals(clock) };
}

describe("createRefusals", () => {
  it("finds a message undeliverable after the last of several refusals, each message by itself", async () => {
    const { clock, refusals } = await scene();
    const verdicts: boolean[] = [];
    for (let transmission = 1; transmission <= MAX_REFUSALS; transmission += 1) {
      verdicts.push(refusals.add(Uint8Array.of(1)));
      if (transmission > 1) expect(refusals.add(Uint8Array.of(2))).toBe(false);
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(verdicts).toEqual([false, false, false, true]);
  });

  it("counts refusals in quick succession once", async () => {
    const { clock, refusals } = await scene();
    for (let transmission = 1; transmission < MAX_REFUSALS; transmission += 1) {
      expect([1, 2, 3].map(() => refusals.add(Uint8Array.of(1)))).toEqual([false, false, false]);
      await clock.advance(RETRANSMIT_AFTER_MS / 2);
    }
    expect(refusals.add(Uint8Array.of(1))).toBe(true);
  });

  it("forgets one message when it is delivered, and all when the stream advances", async () => {
    const { clock, refusals } = await scene();
    const [first, second] = [Uint8Array.of(1), Uint8Array.of(2)];
    for (let transmission = 1; transmission < MAX_REFUSALS; transmission += 1) {
      for (const message of [first, second]) refusals.add(message);
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    refusals.forget(first);
    expect([first, second].map((message) => refusals.add(message))).toEqual([false, true]);
    refusals.clear();
    await clock.advance(RETRANSMIT_AFTER_MS);
    expect(refusals.add(second)).toBe(false);
  });
});
