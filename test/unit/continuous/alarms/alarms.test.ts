import { describe, expect, it } from "vitest";
import { accuracyEstimator, correctedAgreement, teacherAgreement } from "../../../../src/continuous/index.ts";

describe("accuracyEstimator", () => {
  it("has its threshold where as many are below as are wrong", () => {
    const estimator = accuracyEstimator({
      confidences: [0.9, 0.8, 0.7, 0.6, 0.5],
      right: [true, true, false, true, false],
    });
    expect(estimator).toMatchObject({ reference: 0.6, threshold: 0.7 });
    expect(estimator.estimate([0.95, 0.71, 0.7, 0.2]).atc).toBe(0.75);
    expect(estimator.estimate([0.6, 0.4]).differenceOfConfidences).toBeCloseTo(0.4, 12);
  });

  it("refuses a reference without answers", () => {
    const attempt = (): unknown => accuracyEstimator({ confidences: [0.5], right: [] });
    expect(attempt).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
  });
});

describe("teacherAgreement", () => {
  const observations = [
    { agrees: true, weight: 1 },
    { agrees: true, weight: 1 },
    { agrees: false, weight: 6 },
  ];

  it("weighs what was seldom drawn", () => {
    expect(teacherAgreement(observations).agreement).toBe(0.25);
    expect(teacherAgreement(observations.map(({ agrees }) => ({ agrees }))).agreement).toBeCloseTo(2 / 3, 12);
  });

  it("has no empty interval where all agree", () => {
    const { agreement, low, high } = teacherAgreement(
      Array.from({ length: 20 }, (_, i) => ({ agrees: true, weight: 1 + (i % 2) })),
    );
    expect(agreement).toBe(1);
    expect(low).toBeLessThan(0.9);
    expect(high).toBe(1);
  });

  it("knows nothing without observations", () => {
    expect(teacherAgreement([])).toEqual({ agreement: NaN, low: 0, high: 1 });
  });
});

describe("correctedAgreement", () => {
  it("shifts the mean confidence by what labels missed", () => {
    const labelled = [
      { confidence: 0.9, agrees: true },
      { confidence: 0.9, agrees: false },
      { confidence: 0.7, agrees: true },
      { confidence: 0.7, agrees: false },
    ];
    expect(correctedAgreement([0.8, 0.9], labelled).mean).toBeCloseTo(0.85 - 0.3, 12);
  });
});
