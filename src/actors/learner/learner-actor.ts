/**
 * The learner: reads the observations of a model in their order, follows them, saves what it knows and then sends what it
 * decided. Killed at any point it goes on from what it saved: nothing is trained twice to any effect.
 */
import { fromPromise } from "xstate";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { NO_PROGRESS } from "../../messages/index.ts";
import type { ObservationLog } from "../../models/observations/index.ts";
import type { UpdateShelf } from "../../models/updates/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import type { Log } from "../../runtime/store/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";
import type { LabelCounts } from "./cached-oracle.ts";
import { decodeFollowEvent, encodeFollowEvent, type FollowEvent } from "./follow-events.ts";
import type { Follower } from "./follower.ts";
import type { FollowStep } from "./follower-core.ts";
import type { FollowerOptions } from "./follower-options.ts";
import { learnerLifecycle } from "./learner-lifecycle.ts";
import type { LearnerMemory, Outbox } from "./learner-memory.ts";
import { createObservationRounds } from "./observation-rounds.ts";
import { sentUpdate } from "./sent-update.ts";

export interface LearnerActorOptions extends ActorOptions {
  readonly follower: FollowerOptions;
}

export interface LearnerActorDeps extends ActorDeps {
  readonly memory: LearnerMemory;
  readonly observations: Pick<ObservationLog, "read">;
  readonly shelf: UpdateShelf;
  /** Of the run: what was decided. */
  readonly history: Log;
  /** Opens a follower: from a saved state, or from what is live, with a first step. Closed with the actor. */
  readonly openFollower: (
    saved: Awaited<ReturnType<LearnerMemory["load"]>>,
  ) => Promise<{ readonly follower: Follower; readonly step?: FollowStep } & AsyncDisposable>;
  readonly labels: () => LabelCounts;
  /** After each event that is in the history. @default nobody */
  readonly onEvent?: (event: FollowEvent) => void;
}

/** Time between two looks at a log without enough observations; before a store that was away is asked again, ms. */
const LOOK_EVERY_MS = 250;
const RETRY_MS = 1_000;

export function createLearnerActor(options: LearnerActorOptions, deps: LearnerActorDeps): Actor {
  const { run, id, fence, follower: followerOptions } = options;
  const { bus, clock, log, memory, observations, shelf, history } = deps;
  const { model } = followerOptions;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const rounds = createObservationRounds(observations, followerOptions, () => clock.wallTimeMs());
  const ending = new AbortController();
  let opened: Awaited<ReturnType<LearnerActorDeps["openFollower"]>> | undefined;
  let following: Promise<unknown> | undefined;
  let isAsked = false;
  let areAway = false;
  /** Events in the history. */
  let recorded = 0;
  const totals = { candidates: 0, promotions: 0, refusals: 0, rollbacks: 0, updateBytes: 0 };

  const deliver = async ({ firstEvent, events, updates, offer }: Outbox): Promise<void> => {
    for (const bytes of updates) await shelf.put(sentUpdate(bytes, model));
    const offered = await shelf.candidate();
    if (offer !== undefined) await shelf.offer(sentUpdate(offer, model));
    else if (offered !== undefined) await shelf.withdraw(offered.number);
    for (const [offset, event] of events.entries()) {
      const sequence = firstEvent + offset;
      if (sequence < recorded) continue; // sent before a crash
      await history.append(encodeFollowEvent({ sequence, atMs: clock.wallTimeMs(), event }));
      recorded = sequence + 1;
      count(event);
      deps.onEvent?.(event);
    }
  };
  const count = (event: FollowEvent): void => {
    if (event.kind === "candidate") totals.candidates += 1;
    if (event.kind === "promotion") totals.promotions += 1;
    if (event.kind === "refusal") totals.refusals += 1;
    if (event.kind === "rollback") totals.rollbacks += 1;
    if ("bytes" in event && event.kind !== "candidate" && event.kind !== "refusal") totals.updateBytes += event.bytes;
  };
  /** Saved first, sent then. */
  const take = async (follower: Follower, { events, updates, offer }: FollowStep): Promise<void> => {
    if (events.length === 0 && updates.length === 0) return;
    const outbox = {
      ...{ firstEvent: recorded, events, updates: updates.map(({ bytes }) => bytes) },
      offer: offer?.bytes,
    };
    await memory.save(follower.snapshot(), outbox, follower.state.oracle);
    await deliver(outbox);
  };

  const open = async (): Promise<void> => {
    for await (const { data } of history.read()) {
      const { sequence, event } = decodeFollowEvent(data);
      recorded = sequence + 1;
      count(event);
    }
    const saved = await memory.load();
    opened = await deps.openFollower(saved);
    if (saved !== undefined) await deliver(saved.outbox);
    if (opened.step !== undefined) await take(opened.follower, opened.step);
  };

  /** Undefined: not enough yet, or the log is away, which is told once. */
  const nextRound = async (position: number) => {
    try {
      const inputs = await rounds.next(position);
      if (areAway) log.info({}, "the observations are read again");
      areAway = false;
      return inputs;
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      if (!areAway) log.warn({ err: error }, "the observations are away");
      areAway = true;
      return undefined;
    }
  };
  const follow = async (follower: Follower): Promise<void> => {
    while (!ending.signal.aborted) {
      if (isAsked) {
        isAsked = false;
        await take(follower, follower.anchor());
      }
      const inputs = await nextRound(follower.state.position);
      if (inputs === undefined) {
        await clock.sleep(areAway ? RETRY_MS : LOOK_EVERY_MS, ending.signal).catch(() => undefined);
        continue;
      }
      actor.host.send({ type: "RoundBegun" });
      await take(follower, await follower.observe(inputs));
      actor.host.send({ type: "RoundEnded" });
    }
  };
  /** Devices that have lost their way get a full update of what is live. */
  const hearDevices = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        for await (const _request of shelf.asked(ending.signal)) isAsked = true;
      } catch (error) {
        log.warn({ err: error }, "requests of devices are not heard");
        await clock.sleep(RETRY_MS, ending.signal).catch(() => undefined);
      }
    }
  };
  const begin = (follower: Follower): void => {
    following = Promise.all([follow(follower), hearDevices()]).catch((error: unknown) => {
      if (ending.signal.aborted) return;
      actor.host.send({ type: "Failed", error: error instanceof Error ? error : new Error(String(error)) });
    });
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-learner",
      description: `follows the observations of ${followerOptions.model}`,
      chart: ({ open: opening, close }) =>
        learnerLifecycle.provide({
          actors: {
            open: opening,
            close,
            drain: fromPromise<void>(async () => {
              await following;
            }),
          },
        }),
      input: undefined,
      isReady: (state) => state.startsWith("following"),
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [],
      watches: [],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      open,
      async close() {
        ending.abort();
        await following;
        await Promise.resolve(opened?.[Symbol.asyncDispose]()).catch(() => undefined); // its worker may be what failed
      },
      progress: () => NO_PROGRESS,
      stats: () => ({
        ...totals,
        ...rounds.counts,
        labels: deps.labels(),
        window: opened?.follower.state.window ?? 0,
        position: opened?.follower.state.position ?? -1,
        live: opened?.follower.state.live.number ?? 0,
      }),
      onReconnected: () => undefined,
      onState(state) {
        if (state === "draining") ending.abort();
        if (state === "following.waiting" && following === undefined && opened !== undefined) begin(opened.follower);
        return true;
      },
    },
  );
  return actor;
}
