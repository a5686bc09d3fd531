/** Agreement of a model with the oracle on observations that were drawn with known chances. */
import { type Interval, shareInterval, weightedMean } from "../statistics/index.ts";

export interface AgreementObservation {
  readonly agrees: boolean;
  /** Inverse of the chance to be drawn. @default 1 */
  readonly weight?: number;
}

export interface AgreementEstimate extends Interval {
  /** NaN for no observations. */
  readonly agreement: number;
}

/**
 * With the exact 95 % interval for equal weights, as on the uniform stratum; Student's, cut at 0 and 1, for others. Where
 * all weighted observations say the same, the exact interval of their effective number (Kish) stands in.
 */
export function teacherAgreement(observations: readonly AgreementObservation[]): AgreementEstimate {
  const weights = observations.map(({ weight = 1 }) => weight);
  const right = observations.filter(({ agrees }) => agrees).length;
  const isEqual = weights.every((weight) => weight === weights[0]);
  if (isEqual) {
    return { agreement: right / observations.length, ...shareInterval(right, observations.length) };
  }
  const { mean, low, high } = weightedMean(
    observations.map(({ agrees, weight = 1 }) => ({ value: Number(agrees), weight })),
  );
  if (right === 0 || right === observations.length) {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const effective = Math.max(1, Math.floor(total ** 2 / weights.reduce((sum, weight) => sum + weight ** 2, 0)));
    return { agreement: mean, ...shareInterval(right === 0 ? 0 : effective, effective) };
  }
  return { agreement: mean, low: Math.max(0, low), high: Math.min(1, high) };
}
