/** Makes the updater of a served model: it applies updates in a thread of its own. */
import { createUpdaterActor, type UpdaterActorDeps, type UpdaterActorOptions } from "../../actors/updater/index.ts";
import { openUpdateShelf } from "../../models/updates/index.ts";
import type { Actor } from "../../runtime/actor/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import { updaterActor } from "../../run-spec/index.ts";
import { applyInThread } from "./apply-in-thread.ts";

export interface CreateUpdaterOptions extends Omit<UpdaterActorOptions, "id"> {
  /** Distinguishes it from the updaters of other processes of the model. */
  readonly index: number;
}

export interface CreateUpdaterDeps extends Omit<UpdaterActorDeps, "apply" | "openShelf"> {
  /** The learner's store; asked again while it is away. */
  readonly openStore: () => Promise<Store>;
}

export function createUpdater({ index, ...options }: CreateUpdaterOptions, deps: CreateUpdaterDeps): Actor {
  const { openStore, model, log } = deps;
  const id = updaterActor(index);
  return createUpdaterActor(
    { ...options, id },
    {
      ...deps,
      log: log.child({ actor: id }),
      apply: applyInThread,
      openShelf: async () => openUpdateShelf(await openStore(), model.name),
    },
  );
}
