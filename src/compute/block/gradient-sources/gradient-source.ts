/**
 * The contract of every way to unlock a block: *a gradient source gives a per-sample gradient for a batch, at once,
 * later or never*. The block records its forward and calls `atOnce`. It retains the recording when there is no gradient
 * yet, or when another one is to come. A gradient that arrives over the bus for a retained batch goes through
 * `onArrival`, which decides whether to apply, accumulate or ignore it.
 * A new source is one file beside this one and one case in index.ts.
 */
import type * as tf from "@tensorflow/tfjs";
import type { NamedTensorData } from "../../tensor-data.ts";
import type { AutoChoice } from "./auto-policy.ts";

/** Provenance of a gradient; a block sends `true` upstream only after it received `true`. */
export type GradientOrigin = "true" | "bootstrapped" | "synthetic";

/** A gradient to use now. */
export interface SourcedGradient {
  /** [batch, ...boundary], per sample, of the summed loss; the receiver disposes it. */
  readonly gradient: tf.Tensor;
  readonly origin: GradientOrigin;
  /** Loss summed over the batch, nats, where the source is the task loss. */
  readonly lossSum?: number;
  /** Factor on the weight gradients; the gradient for the previous block is unscaled. @default 1 */
  readonly share?: number;
  /** Factor on the learning rate of the update. @default 1 */
  readonly rateScale?: number;
  /** The recording stays: another gradient for the batch is to come. @default false */
  readonly keep?: boolean;
}

export interface ForwardContext {
  readonly step: number;
  /** The block's output, borrowed. */
  readonly output: tf.Tensor;
  /** [batch] i32, borrowed. */
  readonly labels: tf.Tensor;
}

export interface ArrivalContext {
  readonly step: number;
  /** The gradient from the next block or from a gradient model elsewhere, borrowed. */
  readonly gradient: tf.Tensor;
  readonly origin: GradientOrigin;
  /** Updates of the block since the batch's forward. */
  readonly age: number;
  /** Origins of the batch's gradients that were applied or accumulated before. */
  readonly taken: ReadonlySet<GradientOrigin>;
}

/** Effect of an arrival; with neither, nothing happens and the recording stays. */
export interface ArrivalOutcome {
  /** Pull back on the batch's recording and update. */
  readonly apply?: SourcedGradient;
  /** Pull back on the batch's recording; the next update includes the weight gradients. */
  readonly accumulate?: SourcedGradient;
}

export interface GradientSource {
  /** After the forward of a training batch. @returns undefined when the gradient arrives over the bus. */
  atOnce(context: ForwardContext): SourcedGradient | undefined;
  /** When a gradient arrives for a batch whose recording is retained. */
  onArrival(context: ArrivalContext): ArrivalOutcome;
  /** Only `auto`: selects the source from the next batch on. @returns whether that is a change. */
  use?(choice: AutoChoice): boolean;
  /** Only sources that learn by themselves: their state, by names that no slice uses. */
  snapshot?(): NamedTensorData;
  /** @throws KnowledgeNetError KN_CHECKPOINT when a tensor is missing or of another shape. */
  restore?(tensors: NamedTensorData): void;
  dispose?(): void;
}
