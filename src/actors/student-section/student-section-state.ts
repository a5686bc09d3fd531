/**
 * The state of a student's section beside its weights: that of a learner, the version of its teacher, and the batches seen
 * for batch norm's statistics. Without effects.
 */
import type { DropCounters } from "../../runtime/stream/index.ts";
import { createLearnerState, type LearnerState } from "../link/index.ts";

export interface StudentSectionState {
  readonly learner: LearnerState;
  /** Version of the teacher of the last batch; 0: none yet. */
  readonly teacher: number;
  learnFrom(teacher: number): void;
  /** @returns the number of this batch for batch norm's statistics, from 1. */
  recalibrate(): number;
  /** As strings, for a checkpoint's metadata. */
  save(): Readonly<Record<string, string>>;
  /** Continues what `save` gave. */
  restore(saved: Readonly<Record<string, string>>): void;
}

/** @param startAfter sequence after which the phase begins. */
export function createStudentSectionState(startAfter: number, drops: DropCounters): StudentSectionState {
  const learner = createLearnerState(drops, startAfter);
  let recalibrated = 0;
  let teacher = 0;

  return {
    learner,
    get teacher() {
      return teacher;
    },
    learnFrom(other) {
      teacher = other;
    },
    recalibrate: () => (recalibrated += 1),
    save: () => ({ ...learner.save(), recalibrated: String(recalibrated), teacher: String(teacher) }),
    restore(saved) {
      learner.restore(saved);
      recalibrated = Number(saved.recalibrated ?? 0);
      teacher = Number(saved.teacher ?? 0);
    },
  };
}
