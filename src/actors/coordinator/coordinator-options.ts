/** Options and collaborators of a coordinator. */
import type { Checkpoints } from "../../runtime/artifacts/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";
import type { RunRecord } from "./coordinator-state.ts";

export interface CoordinatorOptions extends ActorOptions {
  readonly feeder: string;
  /** Actors that learn from the batches, first to last. */
  readonly learners: readonly string[];
  /** Gradient models: beside the learners, with a state of their own to save. */
  readonly gradientModels: readonly string[];
  /** Teacher sections: without a state. */
  readonly teachers: readonly string[];
  /** Phase of the run, recorded in its checkpoints. */
  readonly phase: string;
  /** Training steps between two checkpoints within an epoch; 0: none. @default 0 */
  readonly saveEverySteps?: number;
  /** Batches between the feeder and the slowest learner. @default 0 */
  readonly window?: number;
  /** The actors may take so long to answer for the first time, ms. */
  readonly readyDeadlineMs: number;
  /** A stop waits so long for the batches in flight, ms. */
  readonly stopDeadlineMs: number;
  /**
   * From the first actor's snapshot of a generation to the last one's write, ms; a stop waits so long for its checkpoint.
   * @default 300000: a window of batches on a slow device, and a large state over a slow link
   */
  readonly saveDeadlineMs?: number;
  /** Attempt of the checkpoints. */
  readonly attempt: number;
  /** Where the run stands: from a checkpoint, or from the coordinator before. */
  readonly record?: RunRecord;
}

export const SAVE_DEADLINE_MS = 300_000;

export interface CoordinatorDeps extends ActorDeps {
  readonly checkpoints: Checkpoints;
}
