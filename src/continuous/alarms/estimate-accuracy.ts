/**
 * Accuracy of a model on inputs without labels, from its confidences (largest softmax output). Alarms only: both hold
 * while confidence means on the stream what it meant on the reference, which a confident error breaks.
 *
 * Sources: average thresholded confidence, Garg et al., "Leveraging Unlabeled Data to Predict Out-of-Distribution
 * Performance", ICLR 2022; difference of confidences, Guillory et al., "Predicting with Confidence on Unseen
 * Distributions", ICCV 2021.
 */
import { KnowledgeNetError } from "../../errors/index.ts";

/** Labelled inputs of a known time: of window 0, or the last uniform strata. */
export interface ConfidenceReference {
  /** In [0, 1], one per input. */
  readonly confidences: ArrayLike<number>;
  /** Whether each is right. */
  readonly right: ArrayLike<boolean>;
}

export interface AccuracyEstimator {
  /** Accuracy on the reference. */
  readonly reference: number;
  /** Confidence that as many reference inputs exceed as are right. */
  readonly threshold: number;
  /** @param confidences of unlabelled inputs. @returns estimated accuracies in [0, 1] */
  estimate(confidences: ArrayLike<number>): { readonly atc: number; readonly differenceOfConfidences: number };
}

/** @throws KnowledgeNetError KN_CONFIG when the reference is empty or has another number of answers */
export function accuracyEstimator({ confidences, right }: ConfidenceReference): AccuracyEstimator {
  const n = confidences.length;
  if (n === 0 || right.length !== n) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "estimate accuracy by confidence",
      rule: "the reference must have one answer for each of its confidences, at least one",
      value: `${right.length} against ${n}`,
    });
  }
  const errors = n - Array.from(right).filter(Boolean).length;
  const sorted = Float64Array.from(confidences).sort();
  // As many reference inputs are below the threshold as are wrong.
  const threshold = errors === n ? Infinity : (sorted[errors] ?? Infinity);
  const reference = 1 - errors / n;
  const meanConfidence = mean(confidences);
  return {
    reference,
    threshold,
    estimate: (stream) => ({
      atc: Array.from(stream).filter((each) => each >= threshold).length / stream.length,
      differenceOfConfidences: Math.min(1, Math.max(0, reference + mean(stream) - meanConfidence)),
    }),
  };
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, each) => sum + each, 0) / values.length;
