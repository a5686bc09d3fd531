/**
 * An updater: makes what a learner promotes live on this site. It follows the learner's shelf, makes the weights off its
 * thread, publishes them as a release of the site's model and promotes it; replicas and gateways swap as for any release.
 */
import { fromPromise } from "xstate";
import { NO_PROGRESS } from "../../messages/index.ts";
import type { UpdateShelf } from "../../models/updates/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { followUpdates } from "./update-follower.ts";
import { createUpdateLooks } from "./update-look.ts";
import { isFollowing, updaterLifecycle } from "./updater-lifecycle.ts";
import type { UpdaterActorDeps, UpdaterActorOptions } from "./updater-options.ts";
import { AUTHOR } from "./updater-state.ts";

const EVENTS = { waiting: "Waits", current: "IsCurrent", paused: "Pauses" } as const;

export function createUpdaterActor(options: UpdaterActorOptions, deps: UpdaterActorDeps): Actor {
  const { run, id, fence, source } = options;
  const { bus, clock, log, model } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const ending = new AbortController();
  let shelf: Promise<UpdateShelf> | undefined;
  let following: Promise<void> = Promise.resolve();
  let isBegun = false;

  const openShelf = (): Promise<UpdateShelf> => {
    shelf ??= deps.openShelf().catch((error: unknown) => {
      shelf = undefined;
      throw error;
    });
    return shelf;
  };
  const looks = createUpdateLooks(options, {
    ...deps,
    openShelf,
    onApplying: () => {
      actor.host.send({ type: "Applies" });
    },
  });
  const follow = async (): Promise<void> => {
    const onFound = (found: keyof typeof EVENTS): void => {
      actor.host.send({ type: EVENTS[found] });
    };
    const onFailed = (): void => {
      shelf = undefined;
    };
    try {
      await followUpdates({ looks, model, openShelf, clock, log, onFound, onFailed }, ending.signal);
    } catch (error) {
      actor.host.send({ type: "Failed", error: error instanceof Error ? error : new Error(String(error)) });
    }
  };
  const end = async (): Promise<void> => {
    ending.abort();
    await following;
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: AUTHOR,
      description: `updates of ${model.name} from ${source}`,
      chart: ({ open, close }) => updaterLifecycle.provide({ actors: { open, close, drain: fromPromise(end) } }),
      input: undefined,
      isReady: isFollowing,
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [],
      watches: [],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      open: () => Promise.resolve(),
      close: end,
      progress: () => NO_PROGRESS,
      stats() {
        const { liveSinceMs, ...figures } = looks.figures;
        const age = liveSinceMs === undefined ? {} : { ageMs: Math.max(0, clock.wallTimeMs() - liveSinceMs) };
        return { model: model.name, ...figures, ...age };
      },
      onReconnected: () => undefined,
      onState(state) {
        if (isFollowing(state) && !isBegun) {
          isBegun = true;
          following = follow();
        }
        return true;
      },
    },
  );

  return actor;
}
