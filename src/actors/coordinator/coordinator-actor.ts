/**
 * The coordinator of one run: waits for the actors, has the feeder begin, saves everybody at each mark, declares complete
 * what all have saved on their own in between, and keeps the run's record. It sees actors only through the bus, and one
 * that takes over in mid-run goes on from the record of the one before.
 */
import { fromPromise } from "xstate";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type Command,
  type CommandReply,
  errorOf,
  type Event,
  type EvaluationMeasured,
  type FeederMark,
  type Progress,
} from "../../messages/index.ts";
import { createControlChannel, hostMachine, orderPatiently } from "../../runtime/actor/index.ts";
import type { Checkpoints } from "../../runtime/artifacts/index.ts";
import type { Service, Subscription } from "../../runtime/bus/index.ts";
import type { ActorDeps, ActorOptions } from "../link/index.ts";
import { coordinatorMachine, type RunOutcome } from "./coordinator-machine.ts";

export interface CoordinatorOptions extends ActorOptions {
  readonly feeder: string;
  /** Actors that learn from the batches, first to last. */
  readonly learners: readonly string[];
  /** Actors beside them that have a state to save too: gradient models. */
  readonly companions: readonly string[];
  /** Actors without a state: teacher sections. */
  readonly others: readonly string[];
  /** Phase of the run, noted with its checkpoints. */
  readonly phase: string;
  /** How long the actors may take to answer for the first time, ms. */
  readonly readyDeadlineMs: number;
  /** How long a stop waits for what is under way, ms. */
  readonly stopDeadlineMs: number;
  /** Timeline of the checkpoints. */
  readonly timeline: number;
  /** Where the run stands already: from a checkpoint, or from a coordinator before. */
  readonly record?: RunRecord;
}

export interface CoordinatorDeps extends ActorDeps {
  readonly checkpoints: Checkpoints;
}

/** One evaluation, complete. */
export interface EvaluationRecord {
  readonly evaluation: number;
  readonly step: number;
  readonly samples: number;
  readonly accuracy: number;
  /** Mean over the samples, nats. */
  readonly loss: number;
  /** Share of the samples of which student and teacher say the same, where there is a teacher; and the teacher's accuracy. */
  readonly agreement?: number | undefined;
  readonly teacherAccuracy?: number | undefined;
  /** When its newest batch was heard of, ms since 1970. */
  readonly atMs: number;
}

/** A boundary whose source is `auto` changed its way. */
export interface SwitchRecord {
  readonly actor: string;
  readonly step: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** Sections went over to another version of their teacher. */
export interface TeacherRecord {
  readonly actor: string;
  readonly step: number;
  readonly from: number;
  readonly to: number;
}

/** What the run has shown so far. */
export interface RunRecord {
  readonly evaluations: readonly EvaluationRecord[];
  readonly switches: readonly SwitchRecord[];
  readonly teachers: readonly TeacherRecord[];
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
  /** Training steps published so far. */
  readonly published: number;
  /** Resolves when the run has ended. Never rejects. */
  readonly ended: Promise<{ readonly outcome: RunOutcome; readonly error?: Error }>;
  start(): Promise<void>;
  /** Ends the run after a checkpoint of what is under way. */
  requestStop(): void;
  /** An actor has failed for good. */
  reportFailure(error: Error): void;
  /** Lets go of the run without a word to anybody: another coordinator goes on. */
  abandon(): void;
}

/** How often and how long it is waited for gradients that are on their way when a run is over, ms. */
const SETTLE_EVERY_MS = 100;
const SETTLE_ATTEMPTS = 20;

export function createCoordinator(options: CoordinatorOptions, deps: CoordinatorDeps): Coordinator {
  const { run, id, fence, feeder, learners, companions, timeline } = options;
  const { bus, clock, log, checkpoints } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const stateful = [...learners, ...companions];
  const evaluations = new Map((options.record?.evaluations ?? []).map((record) => [record.evaluation, record]));
  const switches: SwitchRecord[] = [...(options.record?.switches ?? [])];
  const teachers: TeacherRecord[] = [...(options.record?.teachers ?? [])];
  const progress: Record<string, Progress> = { ...options.record?.progress };
  /** Digests of what actors have saved on their own, by generation, until all have. */
  const collected = new Map<number, Map<string, { readonly digest: string; readonly sequence: number }>>();
  let generation = options.record?.generation ?? 0;
  let epochs = options.record?.epochs ?? 0;
  let step = options.record?.step ?? 0;
  let published = step;
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
      ...(fact.agreeing === undefined ? {} : { agreement: fact.agreeing / fact.samples }),
      ...(fact.teacherCorrect === undefined ? {} : { teacherAccuracy: fact.teacherCorrect / fact.samples }),
      atMs:
        evaluations.get(fact.evaluation)?.samples === fact.samples
          ? (evaluations.get(fact.evaluation)?.atMs ?? 0)
          : clock.wallTimeMs(),
    });
  };

  const onEvent = ({ header, fact }: Event): void => {
    switch (fact.kind) {
      case "Progress":
        progress[header.sender] = fact;
        if (header.sender === learners[0]) published = Math.max(published, header.step);
        return;
      case "EvaluationMeasured":
        measure(fact, header.step);
        return;
      case "FeederMark":
        if (fact.mark === "evaluation-published") return;
        if (fact.mark === marked && header.sequence === markedSequence) {
          // It repeats its mark until it is told to go on, and that may be lost; the mark itself was dealt with.
          host.send({ type: "FeederHolds" });
          return;
        }
        marked = fact.mark;
        markedSequence = header.sequence;
        markedStep = header.step;
        epochs = fact.epoch;
        host.send({ type: "MarkReached", mark: fact.mark });
        return;
      case "StateEntered":
        if (header.sender === feeder && fact.state === "holding") host.send({ type: "FeederHolds" });
        return;
      case "CheckpointSaved":
        collect(header.sender, header.step, { digest: fact.digest, sequence: header.sequence });
        return;
      case "SourceSwitched": {
        const { from, to, reason } = fact;
        switches.push({ actor: header.sender, step: header.step, from, to, reason });
        return;
      }
      case "TeacherChanged":
        teachers.push({ actor: header.sender, step: header.step, from: fact.from, to: fact.to });
        return;
      case "Failure":
        // What a supervisor here decides on is for watchers; what none can mend ends the run.
        if (fact.directive === "escalate") host.send({ type: "ActorFailed", error: errorOf(fact) });
        return;
    }
  };

  const commit = async (of: number, sequence: number, digests: Readonly<Record<string, string>>): Promise<void> => {
    await checkpoints.commit(
      {
        timeline,
        generation: of,
        sequence,
        step: of,
        epoch: epochs,
        phase: options.phase,
        actors: digests,
      },
      fence,
    );
    generation = of;
    step = of;
    for (const older of collected.keys()) if (older <= of) collected.delete(older);
  };

  /** Notes what an actor saved by itself; a generation that all have saved is declared complete. */
  const collect = (actor: string, of: number, saved: { readonly digest: string; readonly sequence: number }): void => {
    if (of <= generation || !stateful.includes(actor) || host.state === "saving") return;
    const known = collected.get(of) ?? new Map<string, typeof saved>();
    collected.set(of, known.set(actor, saved));
    const [first = ""] = learners;
    if (known.size < stateful.length) return;
    const digests = Object.fromEntries([...known].map(([name, { digest }]) => [name, digest]));
    commit(of, known.get(first)?.sequence ?? 0, digests).catch((error: unknown) => {
      log.warn({ actor: id, generation: of, err: error }, "checkpoint not declared complete; the next one will be");
    });
  };

  const persist = (actor: string, command: Command, signal: AbortSignal): Promise<CommandReply> =>
    orderPatiently(channel, actor, command, { clock, deadlineMs: clock.now() + options.readyDeadlineMs, signal });

  const report = async (actor: string, signal: AbortSignal): Promise<void> => {
    const state = await persist(actor, { kind: "ReportState" }, signal);
    if (state.kind !== "ActorState") return;
    progress[actor] = state.progress;
    if (state.evaluation !== undefined) measure(state.evaluation, markedStep);
  };

  /** Closes the account of a run that is over: what has not been answered by now will not be, and its actors end. */
  const settle = async (signal: AbortSignal): Promise<void> => {
    for (let attempt = 1; attempt <= SETTLE_ATTEMPTS; attempt += 1) {
      if (learners.every((learner) => (progress[learner]?.pending ?? 0) === 0)) return;
      await clock.sleep(SETTLE_EVERY_MS, signal);
      await Promise.all(learners.map((learner) => report(learner, signal)));
    }
    for (const learner of learners) {
      const known = progress[learner];
      if (known === undefined || known.pending === 0) continue;
      const unanswered = (known.skipped.unanswered ?? 0) + known.pending;
      progress[learner] = { ...known, pending: 0, skipped: { ...known.skipped, unanswered } };
    }
  };

  const saveAll = async (signal: AbortSignal): Promise<void> => {
    const [at, sequence] = [markedStep, markedSequence];
    await Promise.all(stateful.map((actor) => report(actor, signal)));
    if (marked === "finished") await settle(signal);
    if (at === 0) return; // nothing was learnt yet
    const saved = await Promise.all(
      stateful.map(async (actor) => {
        const reply = await persist(actor, { kind: "SaveCheckpoint", generation: at }, signal);
        if (reply.kind === "CheckpointSaved") return [actor, reply.digest] as const;
        throw new KnowledgeNetError("KN_INVARIANT", {
          attempt: `save ${actor}`,
          rule: "the answer to SaveCheckpoint must be CheckpointSaved",
          value: reply.kind,
        });
      }),
    );
    await commit(at, sequence, Object.fromEntries(saved));
  };

  const machine = coordinatorMachine.provide({
    actors: {
      awaitActors: fromPromise(async ({ signal }) => {
        await Promise.all([feeder, ...stateful, ...options.others].map((actor) => report(actor, signal)));
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
    get published() {
      return published;
    },
    get record() {
      const ordered = [...evaluations.values()].sort((a, b) => a.evaluation - b.evaluation);
      return {
        evaluations: ordered,
        switches: [...switches],
        teachers: [...teachers],
        progress: { ...progress },
        epochs,
        step,
        generation,
      };
    },
    ended,
    async start() {
      subscription = channel.watch("*", onEvent);
      service = await bus.service({
        name: "kn-coordinator",
        version: options.softwareVersion,
        description: "coordinates one run",
        metadata: { run, actor: id, fence: String(fence), ...options.metadata },
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
    abandon() {
      host.send({ type: "Abandoned" });
    },
  };
}
