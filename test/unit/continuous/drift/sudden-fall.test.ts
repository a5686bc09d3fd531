import { describe, expect, it } from "vitest";
import { type RoundAnswers, suddenFall } from "../../../../src/continuous/index.ts";
import { randomDraws } from "../../../../src/data/index.ts";

const rounds = (...wrong: number[]): RoundAnswers[] => wrong.map((each) => ({ answers: 10, wrong: each }));

/** Rounds of 10 whose answers are wrong with these chances. */
function drawn(seed: number, chances: readonly number[]): RoundAnswers[] {
  const draws = randomDraws(seed);
  return chances.map((chance) => ({
    answers: 10,
    wrong: Array.from({ length: 10 }, () => draws.uniform() < chance).filter(Boolean).length,
  }));
}

describe("suddenFall", () => {
  it("tells in the first round that all answers are wrong, and how many rounds of a smaller fall", () => {
    expect(suddenFall(rounds(3, 3, 3, 10))).toBe(1);
    expect(suddenFall(rounds(3, 3, 3, 3, 8))).toBe(0);
    expect(suddenFall(rounds(3, 3, 3, 3, 8, 9))).toBe(2);
  });

  it("says nothing before there are rounds to compare with, of a rise, and of nothing", () => {
    expect(suddenFall(rounds(0, 0, 10))).toBe(0);
    expect(suddenFall(rounds(9, 9, 9, 9, 0))).toBe(0);
    expect(suddenFall([])).toBe(0);
  });

  it.each([0.1, 0.4, 0.7])("is quiet in a world that stays as it is, with %s wrong", (chance) => {
    const chances = Array.from({ length: 12 }, () => chance);
    let alarms = 0;
    for (let seed = 0; seed < 1_000; seed += 1) {
      const all = drawn(seed, chances);
      // After each round, as it is used: some candidate's time.
      if (all.some((_, last) => suddenFall(all.slice(0, last + 1)) > 0)) alarms += 1;
    }
    expect(alarms).toBeLessThanOrEqual(10);
  });

  it("finds an abrupt change of 40 % wrong to 90 % within three rounds, nine times of ten", () => {
    let found = 0;
    for (let seed = 0; seed < 300; seed += 1) {
      const all = drawn(seed, [0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.9, 0.9, 0.9]);
      if ([7, 8, 9].some((length) => suddenFall(all.slice(0, length)) > 0)) found += 1;
    }
    expect(found).toBeGreaterThan(270);
  });
});
