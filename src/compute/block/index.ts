/**
 * One block of a training run. `block-unit.ts` trains it: forward, the gradient source, backward, update. A late
 * gradient meets its batch in `retained-batches.ts`; `gradient-sources/` decides what becomes of it.
 */
export {
  type BlockUnit,
  type BlockUnitOptions,
  createBlockUnit,
  type EvaluateOutcome,
  type TrainRequest,
  type UpdateOutcome,
} from "./block-unit.ts";
export { createAuxiliaryHead } from "./gradient-sources/auxiliary-head.ts";
export type { GradientModelOptions } from "./gradient-sources/gradient-model.ts";
export {
  type AutoChoice,
  createGradientModel,
  type GradientModel,
  type GradientOrigin,
  type PredictionQuality,
} from "./gradient-sources/index.ts";
