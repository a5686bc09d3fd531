/**
 * The state of a block beside its weights: that of a learner, the awaited gradient, and the batches that its unit keeps for
 * their gradient. Without effects.
 */
import type { UpdateOutcome } from "../../compute/index.ts";
import type { Progress } from "../../messages/index.ts";
import type { DropCounters, GapCause } from "../../runtime/stream/index.ts";
import { createLearnerState, type LearnerState } from "../link/index.ts";
import { type AwaitedGradient, createAwaitedGradient } from "./awaited-gradient.ts";

export interface BlockState {
  readonly learner: LearnerState;
  readonly awaited: AwaitedGradient;
  /** Batches before the next one are skipped. */
  recordSkipped(cause: GapCause): void;
  /** A batch is taken in. @param isTraining it is in hand until `settle`, or until it comes to nothing */
  take(step: number, isTraining: boolean): void;
  /**
   * What an update, or its absence, has led to. @throws KnowledgeNetError KN_INVARIANT when this batch was applied
   * before.
   */
  settle(step: number, result: UpdateOutcome): void;
  /** Batches that were kept get no gradient: nothing is pending any more. */
  giveUp(batches: number): void;
  progress(): Progress;
  /** As strings, for a checkpoint's metadata. @param isGating a batch whose gradient is awaited is sent again */
  save(isGating: boolean): Readonly<Record<string, string>>;
  /** Goes on from what `save` gave: what was pending then will get no gradient now. */
  restore(saved: Readonly<Record<string, string>>): void;
}

export function createBlockState(drops: DropCounters): BlockState {
  const learner = createLearnerState(drops);
  const awaited = createAwaitedGradient();
  /** Batches that the unit keeps for their gradient. */
  let pending = 0;
  let forgotten = 0;
  let missing: GapCause | undefined;
  let stalenessSteps = 0;

  return {
    learner,
    awaited,
    recordSkipped(cause) {
      missing = cause;
    },
    take(step, isTraining) {
      learner.take(step, isTraining, missing);
      missing = undefined;
    },
    settle(step, result) {
      learner.settle(step, result);
      if (result.isApplied) stalenessSteps = result.age ?? 0;
      learner.skip("unanswered", result.forgotten - forgotten);
      ({ pending, forgotten } = result);
    },
    giveUp(batches) {
      learner.skip("unanswered", batches);
      forgotten += batches;
      pending = 0;
    },
    progress: () => learner.progress({ pending, stalenessSteps }),
    save: (isGating) => ({
      ...learner.save(awaited.batch !== undefined),
      pending: String(isGating ? 0 : pending),
    }),
    restore(saved) {
      learner.restore(saved);
      learner.skip("unanswered", Number(saved.pending));
    },
  };
}
