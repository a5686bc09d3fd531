import { describe, expect, it } from "vitest";
import { kolmogorovSmirnovTest } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";

describe("kolmogorovSmirnovTest", () => {
  it("sees a shift between two windows of 2,000 and none within one distribution", () => {
    const random = randomFrom(8);
    const window = (by: number): number[] => Array.from({ length: 2000 }, () => random() ** 0.5 * (1 - by));
    const first = window(0);
    expect(kolmogorovSmirnovTest(first, window(0.1)).pValue).toBeLessThan(1e-6);
    expect(kolmogorovSmirnovTest(first, window(0)).pValue).toBeGreaterThan(0.01);
  });

  it("refuses samples that are empty or not finite", () => {
    expect(() => kolmogorovSmirnovTest([], [1])).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    expect(() => kolmogorovSmirnovTest([1], [NaN])).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});
