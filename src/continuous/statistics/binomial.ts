/** Exact tests and intervals of counts. */
import { betaQuantile, regularizedBeta } from "./distributions.ts";

/** A two-sided interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** P(X >= successes) of a binomial. @param chance of a success, in [0, 1] */
export function binomialTail(successes: number, trials: number, chance: number): number {
  if (successes <= 0) return 1;
  if (successes > trials) return 0;
  return regularizedBeta(chance, successes, trials - successes + 1);
}

/**
 * Clopper and Pearson's interval of a share (Biometrika 26, 1934): exact, so it covers at least `confidence`.
 *
 * @param trials 0 gives [0, 1]
 */
export function shareInterval(successes: number, trials: number, confidence = 0.95): Interval {
  const outside = (1 - confidence) / 2;
  return {
    low: successes === 0 ? 0 : betaQuantile(outside, successes, trials - successes + 1),
    high: successes === trials ? 1 : betaQuantile(1 - outside, successes + 1, trials - successes),
  };
}

export interface McNemarTest {
  /** Exactly the candidate is right; exactly the live release. */
  readonly gains: number;
  readonly losses: number;
  /** Two-sided, and one-sided for "the candidate is better". */
  readonly pValue: number;
  readonly pValueBetter: number;
}

/** McNemar's test (Psychometrika 12, 1947) in its exact form: discordant pairs are flips of a fair coin. */
export function mcNemarTest(gains: number, losses: number): McNemarTest {
  const discordant = gains + losses;
  const pValue = Math.min(1, 2 * binomialTail(Math.max(gains, losses), discordant, 0.5));
  return { gains, losses, pValue, pValueBetter: binomialTail(gains, discordant, 0.5) };
}
