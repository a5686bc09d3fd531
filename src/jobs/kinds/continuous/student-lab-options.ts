/** What a learner's computations are about: one network, and how it is trained. */
import type { LearningRateOptions } from "../../../compute/index.ts";
import type { AugmentationOptions } from "../../../data/index.ts";
import type { HintSpec, LogitsSpec, ModelSpec, OptimizerSpec } from "../../../run-spec/index.ts";

export interface StudentLabOptions {
  /** Of its units, unique within the worker. */
  readonly name: string;
  readonly network: ModelSpec;
  readonly optimizer: OptimizerSpec;
  /** Over the steps of each plan. */
  readonly learningRate: Pick<LearningRateOptions, "peak" | "schedule" | "warmup">;
  readonly loss: {
    /** Weight of the loss against labels, where there are any. */
    readonly crossEntropy: number;
    /** Against the oracle's logits; absent: not at all. */
    readonly logits?: LogitsSpec;
  };
  readonly seed: number;
  /** Loss of a section between boundaries. @default relative feature MSE */
  readonly hint?: HintSpec;
  /** Images of u8 are shown as another view in each step, with the labels that they have. @default as they are */
  readonly augmentation?: Omit<AugmentationOptions, "views">;
}
