/**
 * The coordinator of one run: waits for the actors, has the feeder begin, saves everybody at each mark, and keeps the
 * run's record. It sees actors only through the bus.
 */
import { fromPromise } from "xstate";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { CommandReply, Event, EvaluationMeasured, FeederMark, Progress } from "../../messages/index.ts";
import { createControlChannel, hostMachine } from "../../runtime/actor/index.ts";
import type { Service, Subscription } from "../../runtime/bus/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";
import { coordinatorMachine, type RunOutcome } from "./coordinator-machine.ts";

export interface CoordinatorOptions extends ActorOptions {
  readonly feeder: string;
  readonly blocks: readonly string[];
  readonly gradientModels: readonly string[];
  /** How long the actors may take to answer for the first time, ms. */
  readonly readyDeadlineMs: number;
  /** How long a stop waits for what is under way, ms. */
  readonly stopDeadlineMs: number;
}

/** One evaluation, complete. */
export interface EvaluationRecord {
  readonly evaluation: number;
  readonly step: number;
  readonly samples: number;
  readonly accuracy: number;
  /** Mean over the samples, nats. */
  readonly loss: number;
}

/** What the run has shown so far. */
export interface RunRecord {
  readonly evaluations: readonly EvaluationRecord[];
  /** Last progress of each actor, by id. */
  readonly progress: Readonly<Record<string, Progress>>;
  /** Epochs finished. */
  readonly epochs: number;
  /** Step of the last checkpoint. */
  readonly step: number;
  /** Generation of the last checkpoint; 0: none. */
  readonly generation: number;
}

export interface Coordinator {
  readonly id: string;
  readonly state: string;
  readonly record: RunRecord;
  /** Resolves when the run has ended. Never rejects. */
  readonly ended: Promise<{ readonly outcome: RunOutcome; readonly error?: Error }>;
  start(): Promise<void>;
  /** Ends the run after a checkpoint of what is under way. */
  requestStop(): void;
  /** An actor has failed for good. */
  reportFailure(error: Error): void;
}

/** Pause between two tries to reach an actor, ms. */
const RETRY_MS = 100;

export function createCoordinator(options: CoordinatorOptions, deps: ActorDeps): Coordinator {
  const { run, id, feeder, blocks, gradientModels } = options;
  const { bus, clock, log, checkpoints } = deps;
  const channel = createControlChannel({ run, actor: id }, { bus, log });
  const stateful = [feeder, ...blocks, ...gradientModels];
  const evaluations = new Map<number, EvaluationRecord>();
  const progress: Record<string, Progress> = {};
  let generation = options.generation ?? 0;
  let epochs = 0;
  let step = 0;
  let marked: FeederMark["mark"] | undefined;
  let markedSequence = 0;
  let markedStep = 0;
  let subscription: Subscription | undefined;
  let service: Service | undefined;

  const measure = (fact: EvaluationMeasured, atStep: number): void => {
    if (fact.samples === 0) return;
    evaluations.set(fact.evaluation, {
      evaluation: fact.evaluation,
      step: evaluations.get(fact.evaluation)?.step ?? atStep,
      samples: fact.samples,
      accuracy: fact.correct / fact.samples,
      loss: fact.lossSum / fact.samples,
    });
  };

  const onEvent = ({ header, fact }: Event): void => {
    switch (fact.kind) {
      case "Progress":
        progress[header.sender] = fact;
        return;
      case "EvaluationMeasured":
        measure(fact, header.step);
        return;
      case "FeederMark":
        // The feeder repeats its mark until it is told to go on; one that was acted on is not acted on again.
        if (fact.mark === "evaluation-published" || (fact.mark === marked && header.sequence === markedSequence))
          return;
        marked = fact.mark;
        markedSequence = header.sequence;
        markedStep = header.step;
        epochs = fact.epoch;
        host.send({ type: "MarkReached", mark: fact.mark });
        return;
      case "Failure":
      case "StateEntered":
      case "CheckpointSaved":
        return; // for watchers
    }
  };

  /** Asks until there is an answer: an actor may still be starting, or the connection coming back. */
  const persist = async (
    actor: string,
    command: Parameters<typeof channel.order>[1],
    signal: AbortSignal,
  ): Promise<CommandReply> => {
    const deadline = clock.now() + options.readyDeadlineMs;
    for (;;) {
      try {
        return await channel.order(actor, command, { signal });
      } catch (error) {
        signal.throwIfAborted();
        const mayRetry =
          error instanceof KnowledgeNetError && error.code === "KN_UNAVAILABLE" && clock.now() < deadline;
        if (!mayRetry) throw error;
        await clock.sleep(RETRY_MS, signal);
      }
    }
  };

  const report = async (actor: string, signal: AbortSignal): Promise<void> => {
    const state = await persist(actor, { kind: "ReportState" }, signal);
    if (state.kind !== "ActorState") return;
    progress[actor] = state.progress;
    if (state.evaluation !== undefined) measure(state.evaluation, markedStep);
  };

  const saveAll = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(stateful.map((actor) => report(actor, signal)));
    const next = generation + 1;
    const saved = await Promise.all(
      stateful.map(async (actor) => {
        const reply = await persist(actor, { kind: "SaveCheckpoint", generation: next }, signal);
        if (reply.kind === "CheckpointSaved") return [actor, reply.digest] as const;
        throw new KnowledgeNetError("KN_INVARIANT", {
          attempt: `save ${actor}`,
          rule: "the answer to SaveCheckpoint must be CheckpointSaved",
          value: reply.kind,
        });
      }),
    );
    await checkpoints.commit({
      generation: next,
      sequence: markedSequence,
      step: markedStep,
      epoch: epochs,
      actors: Object.fromEntries(saved),
    });
    generation = next;
    step = markedStep;
  };

  const machine = coordinatorMachine.provide({
    actors: {
      awaitActors: fromPromise(async ({ signal }) => {
        await Promise.all(stateful.map((actor) => report(actor, signal)));
      }),
      startFeeding: fromPromise(async ({ signal }) => {
        await persist(feeder, { kind: "StartFeeding" }, signal);
      }),
      pauseFeeding: fromPromise(async ({ signal }) => {
        await persist(feeder, { kind: "PauseFeeding" }, signal);
      }),
      saveAll: fromPromise(({ signal }) => saveAll(signal)),
    },
  });
  const host = hostMachine(
    machine,
    { stopDeadlineMs: options.stopDeadlineMs },
    {
      clock,
      onState: (state) => {
        channel.emit({ kind: "StateEntered", state });
        log.debug({ actor: id, state }, "run state");
      },
    },
  );

  const ended = host.ended.then(async (error) => {
    subscription?.unsubscribe();
    await service?.stop();
    const outcome = host.state as RunOutcome;
    return error instanceof Error ? { outcome: "failed" as const, error } : { outcome };
  });

  return {
    id,
    get state() {
      return host.state;
    },
    get record() {
      const ordered = [...evaluations.values()].sort((a, b) => a.evaluation - b.evaluation);
      return { evaluations: ordered, progress: { ...progress }, epochs, step, generation };
    },
    ended,
    async start() {
      subscription = channel.watch("*", onEvent);
      service = await bus.service({
        name: "kn-coordinator",
        version: options.softwareVersion,
        description: "coordinates one run",
        metadata: { run, actor: id, ...options.metadata },
        endpoints: [],
        stats: () => ({ state: host.state, generation, epochs, step }),
      });
      host.start();
    },
    requestStop() {
      host.send({ type: "StopRequested" });
    },
    reportFailure(error) {
      host.send({ type: "ActorFailed", error });
    },
  };
}
