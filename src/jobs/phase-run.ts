/**
 * One phase of a run in this process (a training run has one, a distillation run up to three): makes its actors from a
 * spec on the given bus and store, supervises them, and waits for the end.
 */
import { type Coordinator, createCoordinator, type RunRecord } from "../actors/coordinator/index.ts";
import type { FeedingPlan } from "../actors/feeder/index.ts";
import type { BackendPreference } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { failureOf } from "../messages/index.ts";
import { createControlChannel, createSupervisor, type Supervisor } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import {
  type Checkpoints,
  type Manifest,
  openCheckpoints,
  openReleases,
  scopeOfRun,
} from "../runtime/artifacts/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Store } from "../runtime/store/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { COORDINATOR, FEEDER, type RunPhase, type RunSpec } from "../run-spec/index.ts";
import { type ActorComposer, createActorComposer } from "./compose-actors.ts";
import type { StartWorker } from "./compute-site.ts";
import { actorsOf, planOf } from "./run-plan.ts";
import { type PhaseRunEnd, readyDeadlineOf, type RunSlices } from "./run-parts.ts";

export type { PhaseRunEnd } from "./run-parts.ts";

export interface PhaseRunOptions extends RunSlices {
  /** Name of the run: a subject token. */
  readonly name: string;
  readonly spec: RunSpec;
  readonly phase: RunPhase;
  readonly backend: BackendPreference;
  /**
   * Generation to resume from, of this phase or, at its beginning, of the previous one; undefined for a fresh start.
   */
  readonly from?: Manifest | undefined;
  /** Attempt of its checkpoints. */
  readonly attempt: number;
  readonly softwareVersion: string;
}

export interface PhaseRunDeps {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataset: Dataset;
  /** Cache of teacher activations. @default none */
  readonly cache?: RecordCache | undefined;
  /** Starts a compute worker. @default a worker thread of this process */
  readonly startWorker?: StartWorker | undefined;
}

export interface PhaseRun {
  readonly plan: FeedingPlan;
  /** Ids of all actors. */
  readonly actors: readonly string[];
  /** The learner that defines the progress of the run: the last one. */
  readonly lastLearner: string;
  /** Opens everything and starts. Rejects with the error of an actor that cannot start, after closing everything. */
  start(): Promise<void>;
  /** Resolves when the run has ended and everything is closed. */
  readonly ended: Promise<PhaseRunEnd>;
  /** Tensors alive in all compute workers. */
  countTensors(): Promise<number>;
  /** Drains the batches under way, saves a checkpoint and ends. */
  requestStop(): void;
}

/** Deadline of the drain on a stop, ms; a stop has to end within five seconds. */
const STOP_DEADLINE_MS = 4_000;

/** The record that a phase begins with: from its own checkpoint; none at the beginning of a phase. */
export function recordFrom(manifest: Manifest | undefined, phase: RunPhase): RunRecord | undefined {
  if (manifest?.phase !== phase) return undefined;
  const { epoch, step, generation } = manifest;
  return { evaluations: [], switches: [], teachers: [], progress: {}, epochs: epoch, step, generation };
}

export function createPhaseRun(options: PhaseRunOptions, deps: PhaseRunDeps): PhaseRun {
  const { name: run, spec, phase, slices, teacherSlices, from, attempt } = options;
  const { bus, store, clock, log, dataset } = deps;
  const plan = planOf(spec, dataset, phase);
  const { learners, gradientModels, teachers, all } = actorsOf(spec, phase);
  const lastLearner = learners.at(-1) ?? "";
  const channel = createControlChannel({ run, actor: "supervisor" }, { bus, log });
  const supervisors: Supervisor[] = [];
  let composer: ActorComposer | undefined;
  let coordinator: Coordinator | undefined;
  let isStopRequested = false;
  let startedMs = 0;
  let finish: (end: PhaseRunEnd) => void = () => undefined;
  const ended = new Promise<PhaseRunEnd>((resolve) => {
    finish = resolve;
  });

  const supervise = async (composed: ActorComposer, id: string): Promise<void> => {
    const create = await composed.compose(id);
    const supervisor = createSupervisor(
      {},
      {
        clock,
        log,
        factory: (restarts) => create(restarts + 1),
        onFailure(error, directive) {
          channel.emit({ ...failureOf(error), directive });
        },
      },
    );
    supervisors.push(supervisor);
    await supervisor.start();
    void supervisor.ended.then((outcome) => {
      if (outcome instanceof Error) coordinator?.reportFailure(outcome);
    });
  };

  const compose = async (checkpoints: Checkpoints): Promise<Coordinator> => {
    composer = createActorComposer(
      {
        run,
        spec,
        dataset: dataset.fingerprint,
        phase,
        slices,
        teacherSlices,
        totalSteps: plan.totalSteps,
        startAfter: plan.firstSequence - 1,
        attempt,
        from,
      },
      {
        backend: options.backend,
        softwareVersion: options.softwareVersion,
        metadata: {},
        isElsewhere: () => false,
      },
      {
        bus,
        clock,
        log,
        checkpoints,
        teachers: await openReleases(store, scopeOfRun(run)),
        cache: deps.cache,
        startWorker: deps.startWorker,
        openDataset: () => Promise.resolve(dataset),
      },
    );
    for (const id of all) await supervise(composer, id);
    const record = recordFrom(from, phase);
    coordinator = createCoordinator(
      {
        run,
        id: COORDINATOR,
        fence: 1,
        softwareVersion: options.softwareVersion,
        metadata: { spec: spec.name },
        feeder: FEEDER,
        learners,
        gradientModels,
        teachers,
        phase,
        saveEverySteps: spec.checkpoint.everySteps,
        window: spec.flow.window,
        readyDeadlineMs: readyDeadlineOf(options),
        stopDeadlineMs: STOP_DEADLINE_MS,
        attempt,
        ...(record === undefined ? {} : { record }),
      },
      { bus, clock, checkpoints, log: log.child({ actor: COORDINATOR }) },
    );
    return coordinator;
  };

  /** Closes everything, also after a failure of one part: the outcome of the run is durable by then. */
  const closeAll = async (): Promise<void> => {
    const closing = [...supervisors.map((supervisor) => supervisor.stop())];
    const results = [...(await Promise.allSettled(closing)), ...(await Promise.allSettled([closeComposer()]))];
    for (const result of results)
      if (result.status === "rejected") log.error({ run, err: result.reason as unknown }, "an actor was not closed");
  };
  const closeComposer = async (): Promise<void> => {
    await composer?.[Symbol.asyncDispose]();
  };

  /** Never rejects: `ended` resolves in any case. */
  const conclude = async (opened: Coordinator): Promise<void> => {
    const error = await opened.ended;
    const seconds = (clock.now() - startedMs) / 1000;
    const backends = composer?.backends ?? [];
    const { record, outcome = "failed" } = opened;
    await closeAll();
    finish({ outcome, record, backends, seconds, ...(error instanceof Error ? { error } : {}) });
  };

  return {
    plan,
    actors: [COORDINATOR, ...all],
    lastLearner,
    ended,
    async start() {
      let opened: Coordinator;
      try {
        opened = await compose(await openCheckpoints(store, scopeOfRun(run)));
        startedMs = clock.now();
        await opened.start();
      } catch (error) {
        await closeAll();
        throw error;
      }
      if (isStopRequested) opened.requestStop();
      void conclude(opened);
    },
    countTensors: () => composer?.countTensors() ?? Promise.resolve(0),
    requestStop() {
      isStopRequested = true;
      coordinator?.requestStop();
    },
  };
}
