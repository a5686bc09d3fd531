import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSlidingBudget, type Spending } from "../../../../src/continuous/observation/index.ts";

/** The most in any half-open interval of a minute, by definition: one begins at each spending. */
function mostInAMinute(spendings: readonly Spending[]): { inputs: number; bytes: number } {
  const most = { inputs: 0, bytes: 0 };
  for (const { atMs } of spendings) {
    const within = spendings.filter((other) => other.atMs >= atMs && other.atMs < atMs + 60_000);
    most.inputs = Math.max(
      most.inputs,
      within.reduce((sum, { inputs }) => sum + inputs, 0),
    );
    most.bytes = Math.max(
      most.bytes,
      within.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }
  return most;
}

const LIMITS = { inputs: 7, bytes: 50 };
const attempts = fc.array(
  fc.record({ pauseMs: fc.nat({ max: 30_000 }), inputs: fc.nat({ max: 4 }), bytes: fc.nat({ max: 20 }) }),
  { maxLength: 60 },
);

describe("createSlidingBudget", () => {
  it("never lets more than the limits into any minute, and refuses nothing that fits", () => {
    fc.assert(
      fc.property(attempts, (asked) => {
        const budget = createSlidingBudget(LIMITS);
        const spent: Spending[] = [];
        let nowMs = 0;
        for (const { pauseMs, inputs, bytes } of asked) {
          nowMs += pauseMs;
          const next = { atMs: nowMs, inputs, bytes };
          const before = spent.filter(({ atMs }) => atMs > nowMs - 60_000);
          const fits =
            before.reduce((sum, one) => sum + one.inputs, inputs) <= LIMITS.inputs &&
            before.reduce((sum, one) => sum + one.bytes, bytes) <= LIMITS.bytes;
          if (fits) {
            budget.spend(next);
            spent.push(next);
          } else {
            expect(() => {
              budget.spend(next);
            }).toThrow(RangeError);
          }
        }
        const most = mostInAMinute(spent);
        expect(most.inputs).toBeLessThanOrEqual(LIMITS.inputs);
        expect(most.bytes).toBeLessThanOrEqual(LIMITS.bytes);
      }),
    );
  });

  it("a spending counts until it is a minute old", () => {
    const budget = createSlidingBudget(LIMITS);
    budget.spend({ atMs: 1_000, inputs: 5, bytes: 20 });
    expect(budget.room(60_999)).toEqual({ inputs: 2, bytes: 30 });
    expect(budget.nextRoomMs()).toBe(61_000);
    expect(budget.room(61_000)).toEqual(LIMITS);
    expect(budget.nextRoomMs()).toBeUndefined();
  });

  it("a clock that steps back frees nothing", () => {
    const budget = createSlidingBudget(LIMITS);
    budget.spend({ atMs: 100_000, inputs: 7, bytes: 50 });
    budget.spend({ atMs: 160_000, inputs: 4, bytes: 10 });
    budget.spend({ atMs: 20_000, inputs: 3, bytes: 10 });
    expect(budget.room(30_000)).toEqual({ inputs: 0, bytes: 30 });
    expect(budget.room(219_999).inputs).toBe(0);
    expect(budget.room(220_000)).toEqual(LIMITS);
  });

  it("goes on after a restart from what still counts", () => {
    const before = createSlidingBudget(LIMITS);
    before.spend({ atMs: 0, inputs: 1, bytes: 1 });
    before.spend({ atMs: 30_000, inputs: 6, bytes: 9 });
    const after = createSlidingBudget(LIMITS, before.spendings(70_000));
    expect(after.room(70_000)).toEqual({ inputs: 1, bytes: 41 });
    expect(after.room(90_000)).toEqual(LIMITS);
  });
});
