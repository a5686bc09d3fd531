import type { Model, ModelStore } from "../../models/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";

/** What may be uploaded in any minute, by all observers of the model over this store together. */
export interface ObserverBudget {
  readonly inputsPerMinute: number;
  /** Of the inputs as they are: u8 as bytes, f32 in 4. */
  readonly bytesPerMinute: number;
}

export interface ObserverActorOptions extends ActorOptions {
  /** Distinguishes the processes that are this actor one after another, and all others; a subject token. */
  readonly epoch: string;
  /** Of the choice, an integer of 32 bits. */
  readonly seed: number;
  readonly budget: ObserverBudget;
  readonly slotsPerMinute: number;
  /** Share of the budget for inputs chosen with equal probability. */
  readonly uniformShare: number;
  /** Age beyond which an input is neither appended nor used, ms. */
  readonly ttlMs: number;
  /** The log keeps at least this many of the newest observations, and at most twice as many. */
  readonly maxEntries: number;
  /** Observations that wait while the store is away; beyond them the oldest are lost, and counted. */
  readonly maxHeldInputs: number;
  readonly maxHeldBytes: number;
}

export interface ObserverActorDeps extends ActorDeps {
  readonly model: Model;
  /** Where the log is, and the record of what was spent. */
  readonly store: Pick<ModelStore, "use">;
  /**
   * What is uploaded in place of a payload: as long, f32 finite; undefined withholds the input, and so does an error.
   * @default the payload as it is
   */
  readonly redact?: (payload: Uint8Array) => Uint8Array | undefined;
}
