import { describe, expect, it } from "vitest";
import {
  GUARD_RULES,
  judge,
  noFigures,
  noteBatch,
  type ReleaseFigures,
} from "../../../../src/actors/gateway/release-guard.ts";

const figures = (parts: Partial<ReleaseFigures> = {}): ReleaseFigures => ({ ...noFigures(), ...parts });
const GOOD = figures({ answers: 1_000, batches: 200 });

describe("judge", () => {
  it("keeps a release of which nothing is known, and one that is as good as the other", () => {
    expect(judge(figures(), GOOD)).toBeUndefined();
    expect(judge(figures({ answers: 1_000, batches: 500 }), GOOD)).toBeUndefined();
  });

  it("decides on failures from 20 requests on, above 5 %", () => {
    expect(judge(figures({ failures: 19 }), GOOD)).toBeUndefined();
    expect(judge(figures({ answers: 19, failures: 1 }), GOOD)).toBeUndefined();
    expect(judge(figures({ answers: 18, failures: 2 }), GOOD)).toEqual({
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
    expect(judge(figures({ answers: 86, failures: 14 }), other)).toBeUndefined();
    expect(judge(figures({ answers: 84, failures: 16 }), other)?.numbers["failureShareBefore"]).toBe(0.1);
  });

  it("decides on answers that are not finite in the same way", () => {
    expect(judge(figures({ answers: 95, nonFinite: 5 }), GOOD)).toBeUndefined();
    expect(judge(figures({ answers: 94, nonFinite: 6 }), GOOD)?.reason).toBe("6 % of its answers are not finite");
    expect(judge(figures({ answers: 94, nonFinite: 6 }), figures({ answers: 98, nonFinite: 2 }))).toBeUndefined();
  });

  it("needs three inputs for which a shadow alone has no finite answer", () => {
    expect(judge(figures({ nonFiniteAlone: 2 }), GOOD)).toBeUndefined();
    expect(judge(figures({ nonFiniteAlone: 3 }), GOOD)).toMatchObject({
      reason: "3 answers are not finite where the live release's are",
      numbers: { nonFinite: 3 },
    });
  });

  it("decides on slowness from 20 batches on, above twice the usual time", () => {
    expect(judge(figures({ batches: 19, slowness: 9 }), GOOD)).toBeUndefined();
    expect(judge(figures({ batches: 20, slowness: 2 }), GOOD)).toBeUndefined();
    expect(judge(figures({ batches: 20, slowness: 2.0512 }), GOOD)?.reason).toBe(
      "its batches take 2.051 times as long",
    );
  });

  it("keeps a shadow of which few copies fail", () => {
    expect(judge(figures({ answers: 10_000, failures: 20 }), GOOD)).toBeUndefined();
  });

  it("takes other rules", () => {
    expect(judge(figures({ failures: 1 }), GOOD, { ...GUARD_RULES, leastAnswers: 1 })).toBeDefined();
  });
});

describe("noteBatch", () => {
  it("is the mean of the last batches", () => {
    const noted = noFigures();
    noteBatch(noted, 3);
    expect(noted).toMatchObject({ batches: 1, slowness: 3 });
    for (let index = 0; index < 100; index += 1) noteBatch(noted, 1);
    expect(noted.slowness).toBeCloseTo(1, 1);
  });
});
