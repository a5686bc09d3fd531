/** An evaluation so far, batch by batch. */
import type { EvaluationMeasured } from "../../messages/index.ts";

export interface EvaluationTally {
  readonly current: EvaluationMeasured | undefined;
  /** @returns the evaluation with this batch; another number begins anew. */
  add(batch: Omit<EvaluationMeasured, "kind">): EvaluationMeasured;
}

export function createEvaluationTally(): EvaluationTally {
  let current: EvaluationMeasured | undefined;
  return {
    get current() {
      return current;
    },
    add(batch) {
      const before = current?.evaluation === batch.evaluation ? current : undefined;
      const { agreeing, teacherCorrect } = batch;
      current = {
        kind: "EvaluationMeasured",
        evaluation: batch.evaluation,
        correct: (before?.correct ?? 0) + batch.correct,
        samples: (before?.samples ?? 0) + batch.samples,
        lossSum: (before?.lossSum ?? 0) + batch.lossSum,
        ...(agreeing === undefined ? {} : { agreeing: (before?.agreeing ?? 0) + agreeing }),
        ...(teacherCorrect === undefined ? {} : { teacherCorrect: (before?.teacherCorrect ?? 0) + teacherCorrect }),
      };
      return current;
    },
  };
}
