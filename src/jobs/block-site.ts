/**
 * The place where one block computes: a worker thread that holds the block and, beside it, its gradient model. Two
 * actors share it, so a new worker holds neither until both actors have restarted, the gradient model's first.
 */
import {
  type BackendPreference,
  type BlockHandle,
  type BlockUnitOptions,
  type ComputeWorker,
  deriveSeed,
  GRADIENT_SOURCE_TRAITS,
  type GradientModelHandle,
  type LearningRateOptions,
  openBlock,
  openGradientModel,
  type SliceDescription,
} from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { type ComputeSite, createComputeSite, type StartWorker } from "./compute-site.ts";
import {
  blockActor,
  type BoundarySpec,
  boundariesOf,
  gradientActor,
  layersOfBlocks,
  type TrainingSpec,
} from "../run-spec/index.ts";

export interface BlockSiteOptions {
  readonly spec: TrainingSpec;
  readonly index: number;
  /** The blocks of the cut model. */
  readonly slices: readonly SliceDescription[];
  readonly totalSteps: number;
  readonly backend: BackendPreference;
  /** The block's gradient model computes in another process; this site then holds only one of the two. */
  readonly isGradientModelElsewhere: boolean;
}

export interface BlockSite extends ComputeSite {
  /** Rejects with KN_UNAVAILABLE while the gradient model that belongs beside the block is not open in this worker. */
  openBlock(): Promise<BlockHandle>;
  /** The gradient model of the boundary after this block. */
  openGradientModel(): Promise<GradientModelHandle>;
}

export function createBlockSite(options: BlockSiteOptions, startWorker?: StartWorker): BlockSite {
  const { spec, index, slices, totalSteps } = options;
  const slice = slices[index];
  const layers = layersOfBlocks(spec.model)[index];
  if (slice === undefined || layers === undefined) throw new RangeError(`there is no block ${index}`);
  const boundary: BoundarySpec | undefined = boundariesOf(spec)[index];
  const previous: BoundarySpec | undefined = boundariesOf(spec)[index - 1];
  const blockName = blockActor(index);
  const gradientName = gradientActor(index);
  const site = createComputeSite(options.backend, startWorker);
  /** Worker in which the gradient model was opened last. */
  let modelWorker: ComputeWorker | undefined;

  const rate = (learningRate: number): LearningRateOptions => ({
    peak: learningRate,
    schedule: spec.training.schedule,
    warmup: spec.training.warmup,
    totalSteps,
  });

  const gradientModel = async (): Promise<GradientModelHandle> => {
    if (boundary === undefined) throw new RangeError(`there is no boundary after block ${index}`);
    const m = boundary.gradientModel;
    const updates = Math.ceil(totalSteps / m.learnEvery);
    const worker = await site.worker();
    const handle = await openGradientModel(
      worker,
      gradientName,
      {
        boundaryShape: slice.outputShape,
        classes: spec.model.classes,
        spec: m,
        seed: deriveSeed(spec.seed, gradientName),
        retain: spec.gradients.retain,
      },
      { ...rate(m.optimizer.learningRate), totalSteps: updates },
    );
    modelWorker = worker;
    // The block beside it may still use the unit: it ends with its worker, or when another takes its place.
    return { ...handle, dispose: () => Promise.resolve() };
  };

  return {
    get backend() {
      return site.backend;
    },
    worker: site.worker,
    onWorkerLost: site.onWorkerLost,
    async openBlock() {
      const source = boundary?.source ?? "task-loss";
      const unit: BlockUnitOptions = {
        inputShape: slice.inputShape,
        layers,
        seed: spec.seed,
        optimizer: spec.training.optimizer,
        learningRate: rate(spec.training.optimizer.learningRate),
        source,
        wantsInputGradient: previous !== undefined && GRADIENT_SOURCE_TRAITS[previous.source].wantsGradient,
        retain: { batches: spec.gradients.retain, bytes: spec.gradients.retainMiB * 2 ** 20 },
        classes: spec.model.classes,
        totalSteps,
        sources: spec.gradients,
        isGradientModelElsewhere: options.isGradientModelElsewhere,
      };
      const hasModelHere =
        source !== "task-loss" && GRADIENT_SOURCE_TRAITS[source].hasGradientModel && !options.isGradientModelElsewhere;
      const worker = await site.worker();
      if (hasModelHere && modelWorker !== worker) {
        throw new KnowledgeNetError("KN_UNAVAILABLE", {
          attempt: `open ${blockName}`,
          rule: `${gradientName} must be open in the same compute worker`,
          value: modelWorker === undefined ? "absent" : "open in a worker that has ended",
          remedy: `the block restarts; ${gradientName} opens when its own actor has restarted`,
        });
      }
      return openBlock(worker, blockName, unit, hasModelHere ? gradientName : undefined);
    },
    openGradientModel: gradientModel,
    countTensors: site.countTensors,
    close: site.close,
    [Symbol.asyncDispose]: site.close,
  };
}
