/**
 * The coordinator of one run: waits for the actors, starts the feeder, saves every actor at each mark and at generations in
 * between, and keeps the run's record. It reaches actors only through the bus. A coordinator that takes over in mid-run
 * continues from the record of the one before.
 */
import { fromPromise } from "xstate";
import { errorOf, type Event } from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import type { Subscription } from "../../runtime/bus/index.ts";
import { createCoordinatorEffects } from "./coordinator-effects.ts";
import { coordinatorLifecycle, type RunOutcome, type SaveInput } from "./coordinator-lifecycle.ts";
import { type CoordinatorDeps, type CoordinatorOptions, SAVE_DEADLINE_MS } from "./coordinator-options.ts";
import { createCoordinatorState, type RunRecord } from "./coordinator-state.ts";

export interface Coordinator extends Actor {
  readonly record: RunRecord;
  /** Training steps published so far. */
  readonly published: number;
  /** How the run ended; undefined before `ended` resolves. */
  readonly outcome: RunOutcome | undefined;
  /** Ends the run after a checkpoint of what is in flight. */
  requestStop(): void;
  /** An actor has failed for good. */
  reportFailure(error: Error): void;
  /** Leaves the run as it is: another coordinator continues it. */
  abandon(): void;
}

export function createCoordinator(options: CoordinatorOptions, deps: CoordinatorDeps): Coordinator {
  const { run, id, fence, feeder, learners, gradientModels } = options;
  const { bus, clock, log } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const state = createCoordinatorState(learners, options.record);
  const effects = createCoordinatorEffects(options, deps, channel, state);
  const { rounds } = effects;
  const stateful = [...learners, ...gradientModels];
  let subscription: Subscription | undefined;
  let outcome: RunOutcome | undefined;

  const onEvent = (event: Event): void => {
    const { header, fact } = event;
    state.note(event, clock.wallTimeMs());
    if (stateful.includes(header.sender)) rounds.observe(header.sender, header.fence);
    switch (fact.kind) {
      case "Progress":
        if (actor.state === "feeding" && state.published > 0) rounds.advance(state.published);
        return;
      case "FeederMark":
        if (fact.mark === "evaluation-published") return;
        // The feeder repeats its mark until StartFeeding arrives, and that command may be lost. One that arrives while the
        // actors are awaited or saved counts at its next arrival.
        if (actor.state !== "feeding" && actor.state !== "pausing") return;
        actor.host.send(state.reach(header, fact) ? { type: "MarkReached", mark: fact.mark } : { type: "FeederHolds" });
        return;
      case "StateEntered":
        if (header.sender === feeder && fact.state === "holding") actor.host.send({ type: "FeederHolds" });
        return;
      case "CheckpointSaved":
        rounds.saved(header.sender, header.step, fact.digest);
        return;
      case "Failure":
        // Other directives are the business of the supervisor that emitted them.
        if (fact.directive === "escalate") actor.host.send({ type: "ActorFailed", error: errorOf(fact) });
        return;
      default:
        return;
    }
  };

  const { stopDeadlineMs, saveDeadlineMs = SAVE_DEADLINE_MS } = options;
  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-coordinator",
      description: "coordinates one run",
      chart: ({ open }) =>
        coordinatorLifecycle.provide({
          actors: {
            open,
            awaitActors: fromPromise(({ signal }) => effects.awaitActors(signal)),
            startFeeding: fromPromise(({ signal }) => effects.startFeeding(signal)),
            pauseFeeding: fromPromise(({ signal }) => effects.pauseFeeding(signal)),
            saveAll: fromPromise<void, SaveInput>(({ input, signal }) => effects.saveAll(input, signal)),
          },
        }),
      input: { stopDeadlineMs, saveDeadlineMs },
      isReady: (name) => ["preparing", "feeding", "pausing", "saving"].includes(name),
      stopEvent: ({ isSaving = false }) => ({ type: isSaving ? "StopRequested" : "Abandoned" }) as const,
      endpoints: [],
      watches: [],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      open() {
        subscription = channel.watch("*", onEvent);
        return Promise.resolve();
      },
      close() {
        rounds.close();
        subscription?.unsubscribe();
        return Promise.resolve();
      },
      progress: () => state.summary,
      evaluation: () => state.measurement?.fact,
      stats: () => {
        const { generation, epochs, record } = state;
        return { checkpoint: rounds.state, generation, epochs, step: record.step };
      },
      onReconnected: () => undefined, // commands are retried, facts are repeated
      onState: (entered) => {
        log.debug({ actor: id, state: entered }, "run state");
        return true;
      },
    },
  );
  const ended = actor.ended.then((error) => {
    outcome = error instanceof Error ? "failed" : (actor.state as RunOutcome);
    return error;
  });

  return {
    id,
    get state() {
      return actor.state;
    },
    get published() {
      return state.published;
    },
    get record() {
      return state.record;
    },
    get outcome() {
      return outcome;
    },
    ended,
    start: () => actor.start(),
    async stop(stopOptions) {
      await actor.stop(stopOptions);
      await ended;
    },
    requestStop() {
      actor.host.send({ type: "StopRequested" });
    },
    reportFailure(error) {
      actor.host.send({ type: "ActorFailed", error });
    },
    abandon() {
      actor.host.send({ type: "Abandoned" });
    },
  };
}
