import { describe, expect, it } from "vitest";
import { learningRateAt } from "../../../../../src/compute/nn/optimizer/index.ts";

describe("learningRateAt", () => {
  it("cosine has its closed values: the peak, 3/4 at a third, 1/2 half way, 1/4 at two thirds, 0 past the end", () => {
    const options = { peak: 0.4, totalSteps: 12 };
    expect(learningRateAt(1, options)).toBeCloseTo(0.4, 12);
    expect(learningRateAt(5, options)).toBeCloseTo(0.3, 12); // cos(60 degrees) = 1/2
    expect(learningRateAt(7, options)).toBeCloseTo(0.2, 12);
    expect(learningRateAt(9, options)).toBeCloseTo(0.1, 12);
    expect(learningRateAt(13, options)).toBeCloseTo(0, 12);
    expect(learningRateAt(1000, options)).toBeCloseTo(0, 12);
  });

  it("cosine never updates with a rate of zero within the run", () => {
    expect(learningRateAt(12, { peak: 0.4, totalSteps: 12 })).toBeCloseTo(
      0.2 * (1 + Math.cos((11 / 12) * Math.PI)),
      12,
    );
    expect(learningRateAt(1, { peak: 0.4, totalSteps: 1 })).toBeCloseTo(0.4, 12);
  });

  it("warm-up rises linearly to the peak, and the cosine begins after it", () => {
    const options = { peak: 1, warmup: 0.25, totalSteps: 16 };
    expect([1, 2, 3, 4].map((step) => learningRateAt(step, options))).toEqual([0.25, 0.5, 0.75, 1]);
    expect(learningRateAt(5, options)).toBeCloseTo(1, 12);
    expect(learningRateAt(11, options)).toBeCloseTo(0.5, 12); // 6 of 12 steps after the warm-up
  });

  it("constant stays at the peak, after a warm-up too", () => {
    const options = { peak: 0.1, schedule: "constant", warmup: 0.5, totalSteps: 4 } as const;
    expect([1, 2, 3, 4, 5].map((step) => learningRateAt(step, options))).toEqual([0.05, 0.1, 0.1, 0.1, 0.1]);
  });
});
