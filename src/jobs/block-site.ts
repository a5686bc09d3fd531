/**
 * The place where one block computes: a worker thread that holds the block and, beside it, its gradient model.
 */
import {
  type BackendPreference,
  type BlockHandle,
  type BlockUnitOptions,
  deriveSeed,
  GRADIENT_SOURCE_TRAITS,
  type GradientModelHandle,
  type LearningRateOptions,
  openBlock,
  openGradientModel,
  type SliceDescription,
} from "../compute/index.ts";
import { type ComputeSite, createComputeSite } from "./compute-site.ts";
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
  /** What the model looks like once it is cut. */
  readonly slices: readonly SliceDescription[];
  readonly totalSteps: number;
  readonly backend: BackendPreference;
  /** The block's gradient model computes in another process; this site then holds only one of the two. */
  readonly isGradientModelElsewhere: boolean;
}

export interface BlockSite extends ComputeSite {
  openBlock(): Promise<BlockHandle>;
  /** The gradient model of the boundary after this block. */
  openGradientModel(): Promise<GradientModelHandle>;
}

export function createBlockSite(options: BlockSiteOptions): BlockSite {
  const { spec, index, slices, totalSteps } = options;
  const slice = slices[index];
  const layers = layersOfBlocks(spec.model)[index];
  if (slice === undefined || layers === undefined) throw new RangeError(`there is no block ${index}`);
  const boundary: BoundarySpec | undefined = boundariesOf(spec)[index];
  const previous: BoundarySpec | undefined = boundariesOf(spec)[index - 1];
  const blockName = blockActor(index);
  const gradientName = gradientActor(index);
  const site = createComputeSite(options.backend);

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
    const handle = await openGradientModel(
      await site.worker(),
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
    // The block beside it may still ask: the unit ends with its worker, or when another takes its place.
    return { ...handle, dispose: () => Promise.resolve() };
  };

  return {
    get backend() {
      return site.backend;
    },
    worker: site.worker,
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
      return openBlock(await site.worker(), blockName, unit, hasModelHere ? gradientName : undefined);
    },
    openGradientModel: gradientModel,
    countTensors: site.countTensors,
    close: site.close,
    [Symbol.asyncDispose]: site.close,
  };
}
