/**
 * The one contract for every way to unlock a block: *a gradient source gives a per-sample gradient for a batch, perhaps
 * at once, perhaps later, perhaps never*. The block records its forward, asks `atOnce`, and keeps the recording when
 * there is nothing yet; a gradient that arrives over the bus goes through `onArrival`, which says what to apply now.
 * A new source is one file beside this one and one line in index.ts.
 */
import type * as tf from "@tensorflow/tfjs";
import type { PredictionQuality } from "./gradient-model.ts";

/** Where a gradient has its origin; a block passes on `true` only when it was fed `true`. */
export type GradientOrigin = "true" | "bootstrapped" | "synthetic";

/** A gradient to apply now. */
export interface SourcedGradient {
  /** [batch, ...boundary], per sample, of the summed loss; the receiver disposes it. */
  readonly gradient: tf.Tensor;
  readonly origin: GradientOrigin;
  /** Loss summed over the batch, nats, where the source is the task loss. */
  readonly lossSum?: number;
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
}

/** What an arrival leads to. */
export interface ArrivalOutcome {
  /** Apply this to the recording of that step, if it is still kept. */
  readonly apply?: SourcedGradient;
  /** How the prediction compares, where the source made one. */
  readonly quality?: PredictionQuality;
}

export interface GradientSource {
  /** After the forward of a training batch. @returns undefined when the gradient must come over the bus. */
  atOnce(context: ForwardContext): SourcedGradient | undefined;
  /** When a gradient for an earlier batch arrives. */
  onArrival(context: ArrivalContext): ArrivalOutcome;
}
