import { describe, expect, it } from "vitest";
import { betByDeadline, betByMixture } from "../../../../src/continuous/statistics/index.ts";
import { randomFrom } from "../../../support/random.ts";

/** Every sequence of `length` fair flips. */
function* fairSequences(length: number): Iterable<readonly number[]> {
  for (let bits = 0; bits < 2 ** length; bits += 1) {
    yield Array.from({ length }, (_, i) => (((bits >> i) & 1) === 1 ? 1 : -1));
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
const ALPHA = 0.05;

describe("betByDeadline", () => {
  it("is a fair game for a fair coin: the mean wealth over all sequences is 1, and Ville's bound holds", () => {
    const ends = [...fairSequences(14)].map((flips) => betByDeadline(flips, { alpha: ALPHA, deadline: 14 }));
    expect(mean(ends.map(({ wealth }) => wealth))).toBeCloseTo(1, 10);
    expect(mean(ends.map(({ peak }) => Number(peak >= 1 / ALPHA)))).toBeLessThanOrEqual(ALPHA);
  });

  it("stays within Ville's bound beyond its deadline", () => {
    const ends = [...fairSequences(14)].map((flips) => betByDeadline(flips, { alpha: ALPHA, deadline: 7 }));
    expect(mean(ends.map(({ peak }) => Number(peak >= 1 / ALPHA)))).toBeLessThanOrEqual(ALPHA);
  });

  it("stays within Ville's bound for payoffs of unequal weight", () => {
    const random = randomFrom(3);
    const weights = Array.from({ length: 14 }, () => random());
    const ends = [...fairSequences(14)].map((flips) =>
      betByDeadline(
        flips.map((flip, i) => flip * (weights[i] ?? 0)),
        { alpha: ALPHA, deadline: 14 },
      ),
    );
    expect(mean(ends.map(({ wealth }) => wealth))).toBeCloseTo(1, 10);
    expect(mean(ends.map(({ peak }) => Number(peak >= 1 / ALPHA)))).toBeLessThanOrEqual(ALPHA);
  });

  it("keeps what it has won", () => {
    const won = betByDeadline(
      Array.from({ length: 30 }, () => 1),
      { alpha: 0.01, deadline: 90 },
    );
    const after = betByDeadline(
      Array.from({ length: 60 }, (_, i) => (i < 30 ? 1 : -1)),
      { alpha: 0.01, deadline: 90 },
    );
    expect(won.wealth).toBe(100);
    expect(after.wealth).toBe(100);
  });

  it("is a sequence: more observations do not change what came before", () => {
    const random = randomFrom(5);
    const flips = Array.from({ length: 80 }, () => (random() < 0.6 ? 1 : -1));
    const prefix = betByDeadline(flips.slice(0, 40), { alpha: 0.01, deadline: 90 });
    expect(betByDeadline(flips, { alpha: 0.01, deadline: 90 }).peak).toBeGreaterThanOrEqual(prefix.peak);
  });
});

describe("betByMixture", () => {
  it("is a fair game for a fair coin", () => {
    const ends = [...fairSequences(12)].map((flips) => betByMixture(flips.map((payoff) => [{ payoff, count: 1 }])));
    expect(mean(ends.map(({ wealth }) => wealth))).toBeCloseTo(1, 10);
    expect(mean(ends.map(({ peak }) => Number(peak >= 1 / ALPHA)))).toBeLessThanOrEqual(ALPHA);
  });

  it("counts a look as its observations one by one", () => {
    const { wealth } = betByMixture([[{ payoff: 1, count: 3 }], [{ payoff: -1, count: 2 }]]);
    const single = betByMixture([1, 1, 1, -1, -1].map((payoff) => [{ payoff, count: 1 }]));
    expect(wealth).toBeCloseTo(single.wealth, 12);
  });
});
