import type { Model, ModelStore, NamedTensors } from "../../models/index.ts";
import type { DeviceUpdateOptions, TensorShapes, UpdateShelf } from "../../models/updates/index.ts";
import type { ModelUpdate } from "../../messages/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";

export interface UpdaterActorOptions extends ActorOptions {
  /** Where the shelf is, for a reader. */
  readonly source: string;
  /** Trusted keys and bounds. */
  readonly updates?: DeviceUpdateOptions;
  /** Releases of its own that it keeps, beside those that are live, pinned or kept as weights; 1 or more. @default 4 */
  readonly keptReleases?: number;
  /** Share of the requests that a shadow of what is offered computes too, above 0 and at most 100. @default 100 */
  readonly shadowPercent?: number;
}

export interface UpdaterActorDeps extends ActorDeps {
  /** What this site serves; it signs what the updater publishes. */
  readonly model: Model;
  /** Where it is: the updater's record lies beside it. */
  readonly models: ModelStore;
  /** Opens the learner's shelf; asked again after a failure. */
  readonly openShelf: () => Promise<UpdateShelf>;
  /** As `applyUpdates`, off this thread. The base is the callee's. */
  readonly apply: (
    steps: readonly ModelUpdate[],
    shapes: TensorShapes,
    base: NamedTensors | undefined,
  ) => Promise<NamedTensors>;
  /** Uniform in [0, 1); differs between sites. */
  readonly random: () => number;
}
