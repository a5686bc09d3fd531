/**
 * The accuracy of a phase is that of its final evaluation: over the whole validation set, after the last step. A phase
 * whose final evaluation is missing or short has no accuracy, and its outcome is "unmeasured".
 */
import type { EvaluationRecord } from "../actors/coordinator/index.ts";
import type { PhaseRunEnd } from "./run-parts.ts";

/** Outcome of a phase that completed all steps without a full evaluation after the last one. */
export const UNMEASURED = "unmeasured";

export interface Measured {
  readonly outcome: string;
  /** The newest evaluation over the whole validation set; of an unmeasured phase: undefined. */
  readonly evaluation: EvaluationRecord | undefined;
}

/** @param samples in the validation set. */
export function measuredOutcome({ outcome, record }: PhaseRunEnd, samples: number): Measured {
  const evaluation = record.evaluations.findLast((each) => each.samples === samples);
  if (outcome !== "completed") return { outcome, evaluation };
  const isFinal = evaluation !== undefined && evaluation.step >= record.step;
  return isFinal ? { outcome, evaluation } : { outcome: UNMEASURED, evaluation: undefined };
}
