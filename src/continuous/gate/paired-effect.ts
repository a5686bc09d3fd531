/** Effect of a candidate on the stream: P(candidate right) - P(live right), as a share of all inputs. */
import { type Interval, studentQuantile, weightedMean } from "../statistics/index.ts";
import type { LabelledPair, WindowEvidence } from "./evidence.ts";

export interface PairedEffect extends Interval {
  /** NaN without labels. */
  readonly effect: number;
  /** Share of the inputs where both answers differ: no effect can be larger. */
  readonly disagreement: number;
}

/** The labelled disagreements of a window: a uniform input that happens to be one is as good as a drawn one. */
export function labelledDisagreements({ labels }: WindowEvidence): readonly LabelledPair[] {
  return labels.filter(({ live, candidate }) => live !== candidate);
}

/** 1: only the candidate is right, -1: only the live release, 0: neither. */
export const difference = ({ label, live, candidate }: LabelledPair): number =>
  Number(candidate === label) - Number(live === label);

/**
 * The mean difference among disagreements, times their share. The standard error is that of the mean among m labels times
 * the share d: d / sqrt(m) where labels drawn from everything give sqrt(d / m). The interval has one pair added in either
 * direction (Bonett and Price, Statistics in Medicine 31, 2012), so that it is not empty when all labels say the same, and
 * the binomial error of the share.
 */
export function pairedEffect(windows: readonly WindowEvidence[], confidence = 0.95): PairedEffect {
  const inputs = windows.reduce((sum, window) => sum + window.inputs, 0);
  const disagreements = windows.reduce((sum, window) => sum + window.disagreements, 0);
  const disagreement = inputs === 0 ? 0 : disagreements / inputs;
  if (disagreements === 0) return { effect: 0, low: 0, high: 0, disagreement };
  const values = windows.flatMap((window) => {
    const pairs = labelledDisagreements(window);
    const total = pairs.reduce((sum, { weight = 1 }) => sum + weight, 0);
    return pairs.map((pair) => ({
      value: difference(pair),
      weight: ((pair.weight ?? 1) * window.disagreements) / total,
    }));
  });
  if (values.length === 0) return { effect: NaN, low: -disagreement, high: disagreement, disagreement };
  const weight = values.reduce((sum, each) => sum + each.weight, 0) / values.length;
  const { mean, standardError } = weightedMean([...values, { value: 1, weight }, { value: -1, weight }]);
  const ofShare = mean * Math.sqrt((disagreement * (1 - disagreement)) / inputs);
  const half =
    studentQuantile((1 + confidence) / 2, values.length + 1) * Math.hypot(disagreement * standardError, ofShare);
  return {
    effect: disagreement * weightedMean(values).mean,
    low: Math.max(-disagreement, disagreement * mean - half),
    high: Math.min(disagreement, disagreement * mean + half),
    disagreement,
  };
}
