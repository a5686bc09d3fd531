/**
 * From a run's plan to its actors: what each kind is told and given, in one place, for a run in this process and for the
 * actors that a node hosts alike.
 */
import { createBlockActor } from "../../actors/block/index.ts";
import { createFeederActor, createFeedingPlan, type FeedingPlan } from "../../actors/feeder/index.ts";
import { createGradientModelActor } from "../../actors/gradient-model/index.ts";
import {
  type BackendInfo,
  type BackendPreference,
  createAutoPolicy,
  GRADIENT_SOURCE_TRAITS,
  type SliceDescription,
} from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import type { TensorCodec } from "../../messages/index.ts";
import type { Actor } from "../../runtime/actor/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import { type Checkpoints, createActorMemory, type SavedAt } from "../../runtime/checkpoint/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import {
  blockActor,
  boundariesOf,
  type BoundarySpec,
  type CodecName,
  gradientActor,
  type TrainingSpec,
} from "../../spec/index.ts";
import { type BlockSite, createBlockSite } from "./block-site.ts";

/** What all who take part in a run must agree on. */
export interface RunPlan {
  /** Name of the run: a subject token. */
  readonly run: string;
  readonly spec: TrainingSpec;
  readonly slices: readonly SliceDescription[];
  readonly totalSteps: number;
  /** Timeline of its checkpoints, and what it began with. */
  readonly timeline: number;
  readonly from: SavedAt | undefined;
}

export interface ComposerOptions {
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  /** Facts that `nats service info` shows of every actor. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the gradient model of this boundary is not in its block's process. */
  readonly isElsewhere: (boundary: number) => boolean;
}

export interface ComposerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly checkpoints: Checkpoints;
  /** Opens the data; called when the feeder is composed. */
  readonly openDataset: () => Promise<Dataset>;
}

export interface ActorComposer extends AsyncDisposable {
  /** Makes ready what the actor needs. @returns what makes one incarnation of it. */
  compose(id: string): Promise<(fence: number) => Actor>;
  /** Ends what the actor computes in, once it has ended; the next incarnation begins with a new one. */
  release(id: string): Promise<void>;
  /** Tensors alive in all workers. */
  countTensors(): Promise<number>;
  /** Backends in use, of blocks by their index. */
  readonly backends: readonly BackendInfo[];
}

/** How long the actors may take to answer for the first time, ms: wasm compiles, disks are slow, nodes restart. */
export const READY_DEADLINE_MS = 60_000;

/** Where the run's checkpoints are in its store. */
export const CHECKPOINT_BUCKETS = { blobs: "checkpoints", manifests: "manifests" } as const;

export const FEEDER = "feeder";
export const COORDINATOR = "coordinator";

export interface RunActors {
  readonly blocks: readonly string[];
  readonly gradientModels: readonly string[];
  /** Feeder, gradient models and blocks: a gradient model before its block, which asks for it when it opens. */
  readonly all: readonly string[];
}

export function actorsOf(spec: TrainingSpec): RunActors {
  const boundaries = boundariesOf(spec);
  const blocks = Array.from({ length: boundaries.length + 1 }, (_, index) => blockActor(index));
  const gradientModels = boundaries
    .filter(({ source }) => GRADIENT_SOURCE_TRAITS[source].hasGradientModel)
    .map(({ index }) => gradientActor(index));
  return { blocks, gradientModels, all: [...gradientModels, ...blocks, FEEDER] };
}

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

export function createActorComposer(plan: RunPlan, options: ComposerOptions, deps: ComposerDeps): ActorComposer {
  const { run, spec, slices, totalSteps, timeline, from } = plan;
  const { isElsewhere } = options;
  const { bus, clock, log, checkpoints } = deps;
  const boundaries = boundariesOf(spec);
  const { blocks } = actorsOf(spec);
  const isDropping = spec.flow.overload === "drop";
  const saveEverySteps = spec.checkpoint.everySteps;
  const gradientCodec = wireCodec(spec.codecs.gradient);
  /** Where something computes, by the actor it belongs to. */
  const sites = new Map<string, BlockSite>();

  const siteOf = (owner: string, index: number): BlockSite => {
    const known = sites.get(owner);
    if (known !== undefined) return known;
    const fresh = createBlockSite({
      spec,
      index,
      slices,
      totalSteps,
      backend: options.backend,
      isGradientModelElsewhere: isElsewhere(index),
    });
    sites.set(owner, fresh);
    return fresh;
  };

  const shared = (id: string, fence: number, metadata: Readonly<Record<string, string>>) => ({
    run,
    id,
    fence,
    softwareVersion: options.softwareVersion,
    metadata: { spec: spec.name, ...options.metadata, ...metadata },
  });
  const depsOf = (id: string) => {
    const ownLog = log.child({ actor: id });
    const memory = createActorMemory({ actor: id, timeline, from }, { checkpoints, log: ownLog });
    return { bus, clock, log: ownLog, memory };
  };

  const composeBlock = (index: number): ((fence: number) => Actor) => {
    const id = blockActor(index);
    const slice = slices[index];
    const boundary: BoundarySpec | undefined = boundaries[index];
    const before = boundaries[index - 1];
    const traits = boundary === undefined ? undefined : GRADIENT_SOURCE_TRAITS[boundary.source];
    const site = siteOf(id, index);
    const metadata = {
      block: String(index),
      layers: slice?.layers.join(" ") ?? "",
      source: boundary?.source ?? "task-loss",
    };
    return (fence) =>
      createBlockActor(
        {
          ...shared(id, fence, metadata),
          index,
          blocks: blocks.length,
          activationCodec: wireCodec(spec.codecs.activation),
          gradientCodec,
          window: spec.flow.window,
          isGating: traits?.isGating ?? false,
          appliesReturned: traits?.appliesReturned ?? false,
          isGradientModelElsewhere: (traits?.hasGradientModel ?? false) && isElsewhere(index),
          isPreviousGating: before !== undefined && GRADIENT_SOURCE_TRAITS[before.source].isGating,
          isDropping,
          saveEverySteps,
        },
        {
          ...depsOf(id),
          openUnit: () => site.openBlock(),
          ...(boundary?.source === "auto"
            ? {
                policy: createAutoPolicy({
                  spec: spec.gradients.auto,
                  isSpatial: (slice?.outputShape.length ?? 1) === 3,
                }),
              }
            : {}),
        },
      );
  };

  const composeGradientModel = (index: number): ((fence: number) => Actor) => {
    const id = gradientActor(index);
    const boundary = boundaries[index];
    const elsewhere = isElsewhere(index);
    const site = siteOf(elsewhere ? id : blockActor(index), index);
    const metadata = {
      boundary: String(index),
      after: boundary?.name ?? "",
      placement: elsewhere ? "elsewhere" : blockActor(index),
    };
    return (fence) =>
      createGradientModelActor(
        {
          ...shared(id, fence, metadata),
          boundary: index,
          learnEvery: boundary?.gradientModel.learnEvery ?? 1,
          retain: spec.gradients.retain,
          isElsewhere: elsewhere,
          gradientCodec,
          saveEverySteps,
        },
        { ...depsOf(id), openUnit: () => site.openGradientModel() },
      );
  };

  const composeFeeder = async (): Promise<(fence: number) => Actor> => {
    const dataset = await deps.openDataset();
    const feedingPlan = planOf(spec, dataset);
    const metadata = { dataset: dataset.name, samples: String(dataset.train.count) };
    return (fence) =>
      createFeederActor(
        {
          ...shared(FEEDER, fence, metadata),
          blocks,
          window: spec.flow.window,
          isDropping,
          readyDeadlineMs: READY_DEADLINE_MS,
        },
        { ...depsOf(FEEDER), dataset, plan: feedingPlan },
      );
  };

  const close = async (): Promise<void> => {
    await Promise.all([...sites.values()].map((site) => site.close()));
  };

  return {
    async compose(id) {
      if (id === FEEDER) return composeFeeder();
      const [, kind, index] = /^(block|gradient)-(\d+)$/.exec(id) ?? [];
      if (kind === "block" && Number(index) < blocks.length) return composeBlock(Number(index));
      if (kind === "gradient" && Number(index) < boundaries.length) return composeGradientModel(Number(index));
      throw new RangeError(`${run} has no actor ${id}`);
    },
    async release(id) {
      const site = sites.get(id);
      sites.delete(id);
      await site?.close();
    },
    async countTensors() {
      const counts = await Promise.all([...sites.values()].map((site) => site.countTensors()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    get backends() {
      return [...sites.values()].flatMap(({ backend }) => (backend === undefined ? [] : [backend]));
    },
    [Symbol.asyncDispose]: close,
  };
}
