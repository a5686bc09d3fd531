import { describe, expect, it } from "vitest";
import {
  GUARD_RULES,
  judge,
  noFigures,
  noteBatch,
  type ReleaseFigures,
} from "../../../../src/actors/gateway/release-guard.ts";

const figures = (parts: Partial<ReleaseFigures> = {}): ReleaseFigures => ({ ...noFigures(), ...parts });
const NOW_MS = 10_000;
const GOOD = figures({ answers: 1_000, batches: 200 });

describe("judge", () => {
  it("keeps a release of which nothing is known, and one that is as good as the other", () => {
    expect(judge(figures(), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ answers: 1_000, batches: 500 }), GOOD, NOW_MS)).toBeUndefined();
  });

  it("decides on failures from 20 requests on, above 5 %", () => {
    expect(judge(figures({ failures: 19 }), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ answers: 19, failures: 1 }), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ answers: 18, failures: 2 }), GOOD, NOW_MS)).toEqual({
      reason: "10 % of its requests failed",
      numbers: {
        answers: 18,
        failures: 2,
        nonFinite: 0,
        batches: 0,
        slowness: 1,
        compared: 0,
        differing: 0,
        failureShareBefore: 0,
      },
    });
  });

  it("compares with the other release: what fails in both is not its fault", () => {
    const other = figures({ answers: 900, failures: 100 });
    expect(judge(figures({ answers: 86, failures: 14 }), other, NOW_MS)).toBeUndefined();
    expect(judge(figures({ answers: 84, failures: 16 }), other, NOW_MS)?.numbers["failureShareBefore"]).toBe(0.1);
  });

  it("decides on answers that are not finite in the same way", () => {
    expect(judge(figures({ answers: 95, nonFinite: 5 }), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ answers: 94, nonFinite: 6 }), GOOD, NOW_MS)?.reason).toBe(
      "6 % of its answers are not finite",
    );
    expect(
      judge(figures({ answers: 94, nonFinite: 6 }), figures({ answers: 98, nonFinite: 2 }), NOW_MS),
    ).toBeUndefined();
  });

  it("needs three inputs for which a shadow alone has no finite answer", () => {
    expect(judge(figures({ nonFiniteAlone: 2 }), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ nonFiniteAlone: 3 }), GOOD, NOW_MS)).toMatchObject({
      reason: "3 answers are not finite where the live release's are",
      numbers: { nonFinite: 3 },
    });
  });

  it("decides on slowness from 20 batches on, when it has lasted for three seconds", () => {
    const slow = { slowness: 2.0512, slowSinceMs: NOW_MS - 3_000 };
    expect(judge(figures({ ...slow, batches: 19 }), GOOD, NOW_MS)).toBeUndefined();
    expect(judge(figures({ ...slow, batches: 20 }), GOOD, NOW_MS - 1)).toBeUndefined();
    expect(judge(figures({ ...slow, batches: 20 }), GOOD, NOW_MS)?.reason).toBe("its batches take 2.051 times as long");
  });

  it("keeps a shadow of which few copies fail", () => {
    expect(judge(figures({ answers: 10_000, failures: 20 }), GOOD, NOW_MS)).toBeUndefined();
  });

  it("takes other rules", () => {
    expect(judge(figures({ failures: 1 }), GOOD, NOW_MS, { ...GUARD_RULES, leastAnswers: 1 })).toBeDefined();
  });
});

describe("noteBatch", () => {
  it("has the median of the last 20 batches, and since when it is too high", () => {
    const noted = noFigures();
    noteBatch(noted, 30, 0);
    expect(noted).toMatchObject({ batches: 1, slowness: 30, slowSinceMs: 0 });
    noteBatch(noted, 1, 10);
    expect(noted).toMatchObject({ slowness: 1, slowSinceMs: undefined });
    for (let index = 0; index < 9; index += 1) noteBatch(noted, 30, 20);
    expect(noted).toMatchObject({ batches: 11, slowness: 30, slowSinceMs: 20 });
    noteBatch(noted, 30, 30);
    expect(noted.slowSinceMs).toBe(20);
    for (let index = 0; index < 20; index += 1) noteBatch(noted, 1, 40);
    expect(noted).toMatchObject({ slowness: 1, slowSinceMs: undefined });
  });
});
