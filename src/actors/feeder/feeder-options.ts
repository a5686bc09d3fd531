/** Options and collaborators of the feeder. */
import type { AugmentationOptions, Dataset } from "../../data/index.ts";
import type { ActorDeps, StreamActorOptions } from "../link/index.ts";
import type { FeedingPlan } from "./feeding-plan.ts";

export interface FeederActorOptions extends StreamActorOptions {
  /** Actors whose progress is the credit: blocks from the first to the last, or sections. */
  readonly learners: readonly string[];
  /**
   * `first`: the other learners get everything through the first one, and a batch is kept until that has consumed it. `all`:
   * each learner takes the batch itself, and it is kept until all have consumed it.
   */
  readonly keepsUntil: "first" | "all";
  /** Batches between the feeder and the slowest learner. */
  readonly window: number;
  /** Training batches go at the first learner's pace; slower ones drop older batches for newer ones. */
  readonly isDropping: boolean;
  /** The learners may take so long to report where they stand, ms. */
  readonly readyDeadlineMs: number;
  /** How views are made, and the seed that they come from. */
  readonly augmentation: (AugmentationOptions & { readonly seed: number }) | undefined;
  /** Of a distillation run: batches carry their provenance. */
  readonly isDistilling: boolean;
}

export interface FeederActorDeps extends ActorDeps {
  readonly dataset: Dataset;
  readonly plan: FeedingPlan;
  /** Newest version of the teacher; asked when it starts. @default there is none: 0 */
  readonly newestTeacher?: () => Promise<number>;
}
