import { describe, expect, it } from "vitest";
import { createInterestMeter } from "../../../../src/continuous/observation/interest.ts";
import { randomFrom } from "../../../support/random.ts";

/** Logits whose softmax is `shares`. */
const logitsOf = (...shares: number[]): number[] => shares.map((share) => Math.log(share) + 3);

describe("createInterestMeter", () => {
  it("uncertainty is 0 for a sure student and 1 for equal classes", () => {
    const meter = createInterestMeter(4);
    expect(meter.measure([0, 1000, 0, 0]).uncertainty).toBe(0);
    expect(meter.measure([5, 5, 5, 5]).uncertainty).toBeCloseTo(1, 12);
    expect(meter.measure(logitsOf(0.7, 0.1, 0.1, 0.1)).uncertainty).toBeCloseTo(0.3 / 0.75, 12);
  });

  it("disagreement is the total variation, 1 where the classes differ, 0 without a candidate", () => {
    const meter = createInterestMeter(3);
    const student = logitsOf(0.6, 0.3, 0.1);
    expect(meter.measure(student).disagreement).toBe(0);
    expect(meter.measure(student, student).disagreement).toBe(0);
    expect(meter.measure(student, logitsOf(0.5, 0.3, 0.2)).disagreement).toBeCloseTo(0.1, 12);
    expect(meter.measure(student, logitsOf(0.4, 0.5, 0.1)).disagreement).toBe(1);
  });

  it("novelty is 1 for the first of a class, small for one like the others, large for one far away", () => {
    const meter = createInterestMeter(3);
    const random = randomFrom(4);
    const usual = (): number[] => [5 + random(), random(), random()];
    expect(meter.measure(usual()).novelty).toBe(1);
    const later = Array.from({ length: 500 }, () => meter.measure(usual()).novelty).slice(100);
    expect(later.reduce((sum, novelty) => sum + novelty, 0) / later.length).toBeLessThan(0.3);
    expect(meter.measure([9, 3, -4]).novelty).toBeGreaterThan(0.95);
    expect(meter.measure([0, 5, 0]).novelty).toBe(1);
  });

  it("novelty fades where a class stays at its new place", () => {
    const meter = createInterestMeter(2);
    const random = randomFrom(5);
    for (let index = 0; index < 500; index += 1) meter.measure([2 + random(), random()]);
    const moved = Array.from({ length: 1500 }, () => meter.measure([6 + random(), random()]).novelty);
    expect(moved[0]).toBeGreaterThan(0.9);
    const last = moved.slice(-100);
    expect(last.reduce((sum, novelty) => sum + novelty, 0) / last.length).toBeLessThan(0.2);
  });

  it("logits that are not finite have all the interest, and move no mean", () => {
    const meter = createInterestMeter(2);
    const all = { disagreement: 1, uncertainty: 1, novelty: 1 };
    expect(meter.measure([NaN, 0])).toEqual(all);
    expect(meter.measure([1, 0], [Infinity, 0])).toMatchObject({ disagreement: 1, novelty: 1 });
    expect(meter.measure([Infinity, 0])).toEqual(all);
    expect(meter.measure([1, 0]).novelty).toBe(0);
  });
});
