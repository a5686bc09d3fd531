/** The sources of the gradient at a block's output; gradient-source.ts has the contract. */
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { AuxiliarySpec, DelayedSpec, GradientSourceKind, MixedSpec } from "../../../run-spec/index.ts";
import type { LearningRateOptions } from "../../nn/index.ts";
import { autoSource } from "./auto.ts";
import { type AuxiliaryHead, createAuxiliaryHead } from "./auxiliary-head.ts";
import { auxiliarySource } from "./auxiliary.ts";
import { delayedSource } from "./delayed.ts";
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";
import { lockedSource } from "./locked.ts";
import { mixedSource } from "./mixed.ts";
import { syntheticSource } from "./synthetic.ts";
import { taskLossSource } from "./task-loss.ts";

export type { AutoChoice } from "./auto-policy.ts";
export { createGradientModel, type GradientModel, type PredictionQuality } from "./gradient-model.ts";
export type { GradientOrigin, GradientSource, SourcedGradient } from "./gradient-source.ts";

/** `task-loss` for the last block, otherwise the source in the spec. */
export type BlockGradientSource = GradientSourceKind | "task-loss";

/** Options of the sources. */
export interface GradientSourceSpecs {
  readonly auxiliary: AuxiliarySpec;
  readonly delayed: DelayedSpec;
  readonly mixed: MixedSpec;
}

export interface GradientSourceOptions {
  readonly source: BlockGradientSource;
  /** The gradient model is on another node: its predictions arrive over the bus, with origin `synthetic`. */
  readonly isGradientModelElsewhere: boolean;
  /** Shape of one sample of the block's output. */
  readonly boundaryShape: readonly number[];
  readonly classes: number;
  /** The boundary's own seed. */
  readonly seed: number;
  /** The block's. */
  readonly learningRate: LearningRateOptions;
  /** Steps of the run. */
  readonly totalSteps: number;
  readonly sources: GradientSourceSpecs;
}

/**
 * @param gradientModel returns the gradient model beside the block; not called when it is on another node.
 * @throws KnowledgeNetError KN_INVARIANT when the source needs a gradient model beside it and there is none.
 */
export function createGradientSource(
  options: GradientSourceOptions,
  gradientModel?: () => GradientModel,
): GradientSource {
  const { source, sources, boundaryShape, totalSteps } = options;
  const beside = (): (() => GradientModel) | undefined => {
    if (options.isGradientModelElsewhere) return undefined;
    if (gradientModel !== undefined) return gradientModel;
    throw new KnowledgeNetError("KN_INVARIANT", {
      attempt: `open a block with the gradient source ${source}`,
      rule: "its gradient model must be open in the same worker before it, or be on another node",
    });
  };
  const head = (): AuxiliaryHead => {
    const { optimizer } = sources.auxiliary;
    const learningRate = { ...options.learningRate, peak: optimizer.learningRate };
    return createAuxiliaryHead({ ...options, spec: sources.auxiliary, learningRate });
  };
  switch (source) {
    case "task-loss":
      return taskLossSource();
    case "locked":
      return lockedSource();
    case "synthetic":
      return syntheticSource(beside());
    case "auxiliary":
      return auxiliarySource(head());
    case "delayed":
      return delayedSource(sources.delayed);
    case "mixed":
      return mixedSource({ ...sources.mixed, totalSteps }, beside());
    case "auto": {
      const found = beside(); // before the head, which would have to be disposed again
      return autoSource({ head: head(), gradientModel: found, isSpatial: boundaryShape.length === 3 });
    }
  }
}
