/**
 * An evaluation so far, batch by batch: part of the state of the last learner, so that a restart neither loses a batch nor
 * counts one twice. Every batch has its sequence; a batch up to `through` is in the tally already.
 */
import { z } from "zod";
import type { CommandReply, EvaluationMeasured } from "../../messages/index.ts";

const savedSchema = z.object({
  through: z.int().min(0),
  evaluation: z.int().min(0),
  correct: z.int().min(0),
  samples: z.int().min(0),
  lossSum: z.number(),
  agreeing: z.int().min(0).optional(),
  teacherCorrect: z.int().min(0).optional(),
});

export interface EvaluationTally {
  readonly current: EvaluationMeasured | undefined;
  /** @returns the evaluation with this batch; a batch of another evaluation starts a new tally. */
  add(sequence: number, batch: Omit<EvaluationMeasured, "kind">): EvaluationMeasured;
  /** Continues the measurement that the coordinator holds, where it is newer: a crash loses what was not saved. */
  adopt(known: CommandReply | undefined): void;
  /** For a checkpoint's metadata; empty before the first batch. */
  save(): Readonly<Record<string, string>>;
  /** Continues what `save` gave. */
  restore(saved: Readonly<Record<string, string>>): void;
}

export function createEvaluationTally(): EvaluationTally {
  let current: EvaluationMeasured | undefined;
  /** Sequence of the newest batch counted. */
  let through = 0;
  return {
    get current() {
      return current;
    },
    add(sequence, batch) {
      const before = current?.evaluation === batch.evaluation ? current : undefined;
      if (before !== undefined && sequence <= through) return before;
      const { agreeing, teacherCorrect } = batch;
      through = sequence;
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
    adopt(known) {
      if (known?.kind !== "ActorState" || known.evaluation === undefined) return;
      if (known.progress.consumed <= through) return;
      through = known.progress.consumed;
      current = known.evaluation;
    },
    save: () => (current === undefined ? {} : { evaluation: JSON.stringify({ ...current, through }) }),
    restore({ evaluation }) {
      const parsed = evaluation === undefined ? undefined : savedSchema.safeParse(JSON.parse(evaluation)).data;
      if (parsed === undefined) return;
      const { through: saved, agreeing, teacherCorrect, ...counts } = parsed;
      through = saved;
      current = {
        kind: "EvaluationMeasured",
        ...counts,
        ...(agreeing === undefined ? {} : { agreeing }),
        ...(teacherCorrect === undefined ? {} : { teacherCorrect }),
      };
    },
  };
}
