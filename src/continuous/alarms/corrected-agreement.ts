/**
 * Agreement with the oracle now, from few labels: the mean confidence of all inputs, corrected by how far confidence was
 * from agreement on the labelled ones (difference estimator, Särndal, Swensson, Wretman 1992, chapter 6; "prediction-powered
 * inference", Angelopoulos et al., Science 382, 2023). Labels of some windows may be pooled: what has to stay the same
 * meanwhile is the meaning of confidence, not the agreement itself. Unbiased, whatever the confidences are, for labels of
 * the window itself.
 */
import { type Estimate, studentQuantile, weightedMean } from "../statistics/index.ts";

export interface LabelledConfidence {
  readonly confidence: number;
  readonly agrees: boolean;
  /** Inverse of the chance to be drawn. @default 1 */
  readonly weight?: number;
}

/**
 * @param confidences of the inputs of the window, or of a uniform sample of them
 * @param labelled of the uniform strata of this window and the last ones
 * @returns with a 95 % interval, cut at 0 and 1; NaN without labels or confidences
 */
export function correctedAgreement(confidences: ArrayLike<number>, labelled: readonly LabelledConfidence[]): Estimate {
  const all = weightedMean(Array.from(confidences, (value) => ({ value, weight: 1 })));
  const gap = weightedMean(
    labelled.map(({ confidence, agrees, weight = 1 }) => ({ value: Number(agrees) - confidence, weight })),
  );
  const mean = clip(all.mean + gap.mean);
  const standardError = Math.hypot(all.standardError, gap.standardError);
  const half = studentQuantile(0.975, Math.max(1, labelled.length - 1)) * standardError;
  return { mean, standardError, low: clip(mean - half), high: clip(mean + half) };
}

const clip = (share: number): number => Math.min(1, Math.max(0, share));
