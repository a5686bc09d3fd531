/**
 * A training run in this process: composes bus, store, compute and actors from a spec, and waits for the end. The only
 * place where the parts of a run meet.
 */
import { createBlockActor } from "../../actors/block/index.ts";
import {
  type Coordinator,
  createCoordinator,
  type RunOutcome,
  type RunRecord,
} from "../../actors/coordinator/index.ts";
import { createFeederActor, createFeedingPlan, type FeedingPlan } from "../../actors/feeder/index.ts";
import { createGradientModelActor } from "../../actors/gradient-model/index.ts";
import {
  type BackendInfo,
  type BackendPreference,
  GRADIENT_SOURCE_TRAITS,
  type SliceDescription,
} from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import { failureOf, type TensorCodec } from "../../messages/index.ts";
import {
  type ActorFactory,
  createControlChannel,
  createSupervisor,
  type Supervisor,
} from "../../runtime/actor/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import { type Checkpoints, type Manifest, openCheckpoints } from "../../runtime/checkpoint/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { boundariesOf, type CodecName, type TrainingSpec } from "../../spec/index.ts";
import { type BlockSite, createBlockSite } from "./block-site.ts";

export interface TrainingRunOptions {
  /** Name of the run: a subject token. */
  readonly name: string;
  readonly spec: TrainingSpec;
  readonly slices: readonly SliceDescription[];
  readonly backend: BackendPreference;
  /** Generation to go on from; undefined for a fresh start. */
  readonly from?: Manifest;
  readonly softwareVersion: string;
}

export interface TrainingRunDeps {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dataset: Dataset;
}

export interface TrainingRunEnd {
  readonly outcome: RunOutcome;
  readonly error?: Error;
  readonly record: RunRecord;
  /** Backend of each block. */
  readonly backends: readonly BackendInfo[];
  /** From the first batch to the last checkpoint, seconds. */
  readonly seconds: number;
}

export interface TrainingRun {
  readonly plan: FeedingPlan;
  /** Ids of all actors. */
  readonly actors: readonly string[];
  readonly lastBlock: string;
  /** Opens everything and begins. Rejects with what kept an actor from starting; everything is closed then. */
  start(): Promise<void>;
  /** Resolves when the run has ended and everything is closed. */
  readonly ended: Promise<TrainingRunEnd>;
  /** Checkpoints what is under way and ends. */
  requestStop(): void;
}

/** How long the actors may take to answer for the first time, ms: wasm compiles, disks are slow. */
const READY_DEADLINE_MS = 60_000;
/** How long a stop waits for the batches under way, ms; a stop has to end within five seconds. */
const STOP_DEADLINE_MS = 4_000;

/** Where the run's checkpoints are in its store. */
export const CHECKPOINT_BUCKETS = { blobs: "checkpoints", manifests: "manifests" } as const;

export function planOf(spec: TrainingSpec, dataset: Dataset): FeedingPlan {
  const { evaluation, training, seed } = spec;
  return createFeedingPlan({
    trainingSamples: dataset.train.count,
    testSamples: dataset.test.count,
    batchSize: training.batchSize,
    epochs: training.epochs,
    seed,
    ...(evaluation.everySteps === undefined ? {} : { evaluateEverySteps: evaluation.everySteps }),
    evaluationSamples: evaluation.samples,
    evaluationBatchSize: evaluation.batchSize,
  });
}

export function wireCodec(name: CodecName): TensorCodec {
  return name === "f32" ? "raw" : name;
}

export function createTrainingRun(options: TrainingRunOptions, deps: TrainingRunDeps): TrainingRun {
  const { name: run, spec, slices, from } = options;
  const { bus, store, clock, log, dataset } = deps;
  const boundaries = boundariesOf(spec);
  const plan = planOf(spec, dataset);
  const blocks = slices.map((_, index) => `block-${index}`);
  const withModel = boundaries.filter(({ source }) => GRADIENT_SOURCE_TRAITS[source].hasGradientModel);
  const gradientModels = withModel.map(({ index }) => `gradient-${index}`);
  const lastBlock = `block-${slices.length - 1}`;
  const sites: BlockSite[] = slices.map((_, index) =>
    createBlockSite({ spec, index, slices, totalSteps: plan.totalSteps, backend: options.backend }),
  );
  const channel = createControlChannel({ run, actor: "supervisor" }, { bus, log });
  const supervisors: Supervisor[] = [];
  let coordinator: Coordinator | undefined;
  let isStopRequested = false;
  let startedMs = 0;
  let finish: (end: TrainingRunEnd) => void = () => undefined;
  const ended = new Promise<TrainingRunEnd>((resolve) => {
    finish = resolve;
  });

  const common = (id: string, attempt: number, metadata: Readonly<Record<string, string>>) => {
    const generation = coordinator?.record.generation ?? from?.generation ?? 0;
    return {
      run,
      id,
      softwareVersion: options.softwareVersion,
      metadata: { spec: spec.name, ...metadata },
      isRejoining: attempt > 0,
      ...(generation === 0 ? {} : { generation }),
    };
  };

  const supervise = (factory: ActorFactory, maxRestarts?: number): Supervisor => {
    const supervisor = createSupervisor(
      { ...(maxRestarts === undefined ? {} : { maxRestarts }) },
      {
        clock,
        log,
        factory,
        onFailure(error, directive) {
          channel.emit({ ...failureOf(error), directive });
        },
      },
    );
    supervisors.push(supervisor);
    void supervisor.ended.then((outcome) => {
      if (outcome instanceof Error) coordinator?.reportFailure(outcome);
    });
    return supervisor;
  };

  const compose = (checkpoints: Checkpoints): void => {
    const actorDeps = { bus, clock, checkpoints };
    const feeder = { dataset: dataset.name, samples: String(dataset.train.count) };
    for (const { index, name } of withModel) {
      const id = `gradient-${index}`;
      supervise((attempt) =>
        createGradientModelActor(
          {
            ...common(id, attempt, { boundary: String(index), after: name, placement: `block-${index}` }),
            boundary: index,
            learnEvery: boundaries[index]?.gradientModel.learnEvery ?? 1,
            retain: spec.gradients.retain,
          },
          { ...actorDeps, log: log.child({ actor: id }), openUnit: () => site(index).openGradientModel() },
        ),
      );
    }
    slices.forEach((slice, index) => {
      const id = `block-${index}`;
      const source = boundaries[index]?.source;
      const before = boundaries[index - 1]?.source;
      const metadata = { block: String(index), layers: slice.layers.join(" "), source: source ?? "task-loss" };
      supervise((attempt) =>
        createBlockActor(
          {
            ...common(id, attempt, metadata),
            index,
            blocks: slices.length,
            activationCodec: wireCodec(spec.codecs.activation),
            gradientCodec: wireCodec(spec.codecs.gradient),
            window: spec.flow.window,
            isGating: source !== undefined && GRADIENT_SOURCE_TRAITS[source].isGating,
            isPreviousGating: before !== undefined && GRADIENT_SOURCE_TRAITS[before].isGating,
          },
          { ...actorDeps, log: log.child({ actor: id }), openUnit: () => site(index).openBlock() },
        ),
      );
    });
    // The feeder's position is not in step with the others after a restart: its failure ends the run.
    supervise(
      (attempt) =>
        createFeederActor(
          { ...common("feeder", attempt, feeder), blocks, window: spec.flow.window },
          { ...actorDeps, log: log.child({ actor: "feeder" }), dataset, plan },
        ),
      0,
    );
    coordinator = createCoordinator(
      {
        ...common("coordinator", 0, {}),
        feeder: "feeder",
        blocks,
        gradientModels,
        readyDeadlineMs: READY_DEADLINE_MS,
        stopDeadlineMs: STOP_DEADLINE_MS,
      },
      { ...actorDeps, log: log.child({ actor: "coordinator" }) },
    );
  };

  const site = (index: number): BlockSite => {
    const found = sites[index];
    if (found === undefined) throw new RangeError(`there is no block ${index}`);
    return found;
  };

  const closeAll = async (): Promise<void> => {
    await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
    await Promise.all(sites.map((each) => each.close()));
  };

  return {
    plan,
    actors: ["coordinator", "feeder", ...blocks, ...gradientModels],
    lastBlock,
    ended,
    async start() {
      compose(await openCheckpoints(store, CHECKPOINT_BUCKETS));
      try {
        // Gradient models come first in the list: a block asks for its model when it opens.
        for (const supervisor of supervisors) await supervisor.start();
      } catch (error) {
        await closeAll();
        throw error;
      }
      const opened = coordinator as Coordinator;
      startedMs = clock.now();
      await opened.start();
      if (isStopRequested) opened.requestStop();
      void opened.ended.then(async ({ outcome, error }) => {
        const seconds = (clock.now() - startedMs) / 1000;
        const backends = sites.flatMap(({ backend }) => (backend === undefined ? [] : [backend]));
        const record = opened.record;
        await closeAll();
        finish({ outcome, record, backends, seconds, ...(error === undefined ? {} : { error }) });
      });
    },
    requestStop() {
      isStopRequested = true;
      coordinator?.requestStop();
    },
  };
}
