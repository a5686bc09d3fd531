import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chargeUpload, OBSERVER_RECORDS } from "../../../../src/actors/observer/upload-budget.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";

const LIMITS = { inputs: 10, bytes: 100 };

describe("chargeUpload", () => {
  it("charges at most the limits in any half-open minute, whatever is asked for and when", async () => {
    const asked = fc.record({
      afterMs: fc.integer({ min: 0, max: 20_000 }),
      inputs: fc.integer({ min: 1, max: 10 }),
      bytes: fc.integer({ min: 1, max: 100 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 20, maxLength: 40 }), async (requests) => {
        await using store = await memoryStore({ clock: simulatedClock() });
        const charged: { readonly atMs: number; readonly inputs: number; readonly bytes: number }[] = [];
        let atMs = 0;
        for (const { afterMs, inputs, bytes } of requests) {
          atMs += afterMs;
          const laterMs = await chargeUpload(store, "digits", LIMITS, { atMs, inputs, bytes });
          if (laterMs === undefined) charged.push({ atMs, inputs, bytes });
          else expect(laterMs).toBeGreaterThan(atMs);
        }
        for (const { atMs: from } of charged) {
          const within = charged.filter((each) => each.atMs >= from && each.atMs < from + 60_000);
          expect(within.reduce((sum, { inputs }) => sum + inputs, 0)).toBeLessThanOrEqual(LIMITS.inputs);
          expect(within.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(LIMITS.bytes);
        }
        expect(charged.length).toBeGreaterThan(0);
      }),
      { numRuns: 50 },
    );
  });

  it("holds over observers that charge at once", async () => {
    await using store = await memoryStore({ clock: simulatedClock() });
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, () => chargeUpload(store, "digits", LIMITS, { atMs: 5, inputs: 1, bytes: 1 })),
    );
    expect(outcomes.filter((laterMs) => laterMs === undefined)).toHaveLength(LIMITS.inputs);
    expect(outcomes.filter((laterMs) => laterMs !== undefined)).toEqual([60_005, 60_005]);
  });

  it("takes a record that cannot be read for a minute that is spent, and mends it after that", async () => {
    await using store = await memoryStore({ clock: simulatedClock({ wallTimeMs: 1_000 }) });
    await (await store.kv(OBSERVER_RECORDS)).put("digits", new TextEncoder().encode("{"));
    const charge = (atMs: number) => chargeUpload(store, "digits", LIMITS, { atMs, inputs: 10, bytes: 1 });
    expect(await charge(2_000)).toBe(61_000);
    expect(await charge(61_000)).toBeUndefined();
    expect(await charge(62_000)).toBe(121_000);
  });

  it("waits a minute at most when the clock was set back", async () => {
    await using store = await memoryStore({ clock: simulatedClock() });
    const charge = (atMs: number) => chargeUpload(store, "digits", LIMITS, { atMs, inputs: 10, bytes: 1 });
    expect(await charge(1_000_000)).toBeUndefined();
    expect(await charge(5_000)).toBe(65_000);
  });

  it("rejects with KN_OVERLOADED what no minute holds", async () => {
    await using store = await memoryStore({ clock: simulatedClock() });
    await expect(chargeUpload(store, "digits", LIMITS, { atMs: 0, inputs: 11, bytes: 1 })).rejects.toMatchObject({
      code: "KN_OVERLOADED",
    });
  });
});
