/** The learning rate as a pure function of the step: nothing to save, nothing to restore. */

export interface LearningRateOptions {
  /** Rate at the top of the schedule. */
  readonly peak: number;
  /** `cosine` falls to zero over the run (Loshchilov and Hutter 2016); `constant` stays. @default "cosine" */
  readonly schedule?: "cosine" | "constant";
  /** Share of the run during which the rate rises linearly from zero. @default 0 */
  readonly warmup?: number;
  /** Updates over the whole run, for which the schedule is laid out. */
  readonly totalSteps: number;
}

/** Rate for update `step`, counted from 1. Steps past the end keep the last rate. */
export function learningRateAt(step: number, options: LearningRateOptions): number {
  const { peak, schedule = "cosine", warmup = 0, totalSteps } = options;
  const warmupSteps = Math.floor(warmup * totalSteps);
  if (step <= warmupSteps) return (peak * step) / Math.max(1, warmupSteps);
  if (schedule === "constant") return peak;
  const progress = Math.min(1, (step - 1 - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return peak * 0.5 * (1 + Math.cos(Math.PI * progress));
}
