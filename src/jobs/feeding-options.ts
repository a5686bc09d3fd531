/** Options of the feeding plan that every job kind reads from the same keys of its spec. */
import type { FeedingPlanOptions } from "../actors/feeder/index.ts";
import type { Dataset } from "../data/index.ts";
import type { RunSpec } from "../run-spec/index.ts";

export type SharedFeedingOptions = Omit<FeedingPlanOptions, "batchSize" | "epochs" | "trainingSamples">;

export function feedingOptionsOf({ evaluation, seed, data }: RunSpec, dataset: Dataset): SharedFeedingOptions {
  return {
    seed,
    testSamples: dataset.validation.count,
    evaluationSamples: evaluation.samples,
    evaluationBatchSize: evaluation.batchSize,
    ...(evaluation.everySteps === undefined ? {} : { evaluateEverySteps: evaluation.everySteps }),
    ...(data.augmentation === undefined ? {} : { augmentation: data.augmentation }),
  };
}
