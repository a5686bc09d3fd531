/**
 * Mean of values that were drawn with unequal chances, each weighted by the inverse of its own (Hájek's estimator), with
 * the linearised standard error (Särndal, Swensson, Wretman, "Model Assisted Survey Sampling", 1992, result 5.7.1) and
 * Student's interval. It equals statsmodels' weighted least squares on a constant with HC1 errors, and for equal weights
 * the one-sample t-interval.
 */
import type { Interval } from "./binomial.ts";
import { studentQuantile } from "./distributions.ts";

export interface WeightedValue {
  readonly value: number;
  /** Inverse of the chance to be drawn, up to a common factor. */
  readonly weight: number;
}

export interface Estimate extends Interval {
  readonly mean: number;
  readonly standardError: number;
}

/** @returns NaN throughout for no values, an infinite interval for one */
export function weightedMean(values: readonly WeightedValue[], confidence = 0.95): Estimate {
  const n = values.length;
  const total = values.reduce((sum, { weight }) => sum + weight, 0);
  const mean = values.reduce((sum, { value, weight }) => sum + weight * value, 0) / total;
  const squares = values.reduce((sum, { value, weight }) => sum + (weight * (value - mean)) ** 2, 0);
  if (n < 2) return { mean, standardError: Infinity, low: n === 0 ? NaN : -Infinity, high: n === 0 ? NaN : Infinity };
  const standardError = Math.sqrt((n / (n - 1)) * squares) / total;
  const half = studentQuantile((1 + confidence) / 2, n - 1) * standardError;
  return { mean, standardError, low: mean - half, high: mean + half };
}
