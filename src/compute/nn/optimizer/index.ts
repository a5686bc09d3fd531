/** Optimisers whose whole state can be saved, and learning rates as functions of the step. */
export { type LearningRateOptions, learningRateAt } from "./learning-rate.ts";
export { createOptimizer, type Optimizer, type UpdateMasks } from "./optimizer.ts";
