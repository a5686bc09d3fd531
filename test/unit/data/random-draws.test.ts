import { describe, expect, it } from "vitest";
import { randomDraws } from "../../../src/data/index.ts";
import { logFactorial } from "../../../src/data/random-draws.ts";
import { chiSquarePerDegree, references } from "./drift/references.ts";

const COUNT = 40_000;
/** Chi-square over its degrees of freedom is beyond this once in a million for three or more degrees. */
const BOUND = 10;
const drawn = (draw: () => number): number[] => Array.from({ length: COUNT }, draw);

describe("randomDraws", () => {
  it("equal words give equal draws, other words other ones", () => {
    const first = (...words: number[]): number[] => {
      const draws = randomDraws(...words);
      return Array.from({ length: 5 }, draws.word);
    };
    expect(first(1, 2, 3)).toEqual(first(1, 2, 3));
    const others = [first(1, 2, 3), first(1, 3, 2), first(1, 2), first(1, 2, 3, 0), first(0, 2, 3), first()];
    expect(new Set(others.map((words) => words.join())).size).toBe(others.length);
  });

  it("neighbouring streams do not depend on each other", () => {
    const pairs = Array.from({ length: COUNT }, (_, index) => [
      randomDraws(7, index).uniform(),
      randomDraws(7, index + 1).uniform(),
    ]);
    const mean = pairs.reduce((sum, [a = 0, b = 0]) => sum + (a - 0.5) * (b - 0.5), 0) / COUNT;
    expect(Math.abs(mean * 12)).toBeLessThan(5 / Math.sqrt(COUNT)); // the correlation, and five standard errors of it
  });

  it("normal draws follow SciPy's distribution", () => {
    expect(chiSquarePerDegree(drawn(randomDraws(1).normal), references.normal)).toBeLessThan(BOUND);
  });

  it.each(references.poisson)("Poisson draws of mean $mean follow SciPy's distribution", (reference) => {
    const draws = randomDraws(2, reference.mean);
    expect(
      chiSquarePerDegree(
        drawn(() => draws.poisson(reference.mean)),
        reference,
      ),
    ).toBeLessThan(BOUND);
  });

  it.each(references.gamma)("gamma draws of shape $shape follow SciPy's distribution", (reference) => {
    const draws = randomDraws(3);
    expect(
      chiSquarePerDegree(
        drawn(() => draws.gamma(reference.shape)),
        reference,
      ),
    ).toBeLessThan(BOUND);
  });

  it("below gives each integer as often", () => {
    const draws = randomDraws(4);
    const uniform = { edges: [1, 2, 3, 4], shares: [0.2, 0.2, 0.2, 0.2, 0.2] };
    expect(
      chiSquarePerDegree(
        drawn(() => draws.below(5)),
        uniform,
      ),
    ).toBeLessThan(BOUND);
  });

  it("a Poisson draw of mean 0 is 0; a negative mean and a shape of 0 are refused", () => {
    expect(randomDraws(5).poisson(0)).toBe(0);
    expect(() => randomDraws(5).poisson(-1)).toThrow(RangeError);
    expect(() => randomDraws(5).gamma(0)).toThrow(RangeError);
  });

  it.each(references.logFactorials)("logFactorial(%d) is SciPy's", (count, value) => {
    expect(Math.abs(logFactorial(count) - value)).toBeLessThan(1e-9 * Math.max(1, value));
  });
});
