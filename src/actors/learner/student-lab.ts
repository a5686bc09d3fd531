/** The mathematics that a learner needs, as a port: src/jobs/kinds/continuous has it in a compute worker. */
import type { TensorView } from "../../messages/index.ts";
import type { NamedTensors } from "../../models/index.ts";
import type { Selected } from "../../models/updates/index.ts";

/** Computes with the weights of one network; weights given are borrowed and not changed. */
export interface StudentLab extends AsyncDisposable {
  /** Holds weights to answer with, under a number of the caller's. */
  hold(key: number, weights: NamedTensors): Promise<void>;
  drop(key: number): Promise<void>;
  /** Logits f32 [n, classes] of inputs [n, ...sample] u8 or f32; rows that are not finite are zero and listed. */
  answer(
    key: number,
    inputs: TensorView,
  ): Promise<{ readonly logits: Float32Array; readonly nonFiniteRows: readonly number[] }>;
  /** Median time of a batch of `batchSize` zeros by each of the two, measured alternately, ms. */
  compareLatency(
    live: number,
    candidate: number,
    batchSize: number,
  ): Promise<{ readonly live: number; readonly candidate: number }>;
  /** Trains a copy of `from` with a fresh optimiser. @returns the weights, and the mean loss of the last quarter of the steps */
  train(from: NamedTensors, plan: TrainPlan): Promise<{ readonly weights: NamedTensors; readonly loss: number }>;
  /**
   * Trains the sections of a copy of `from` side by side, each by the activations of the oracle's section, with fresh
   * optimisers. Ends early when the oracle does.
   */
  trainSections(from: NamedTensors, plan: SectionPlan): Promise<NamedTensors>;
  /** A copy of `from` whose batch-norm moving statistics are the means over the batches. */
  recalibrate(from: NamedTensors, batches: readonly TensorView[]): Promise<NamedTensors>;
}

export interface TrainPlan {
  readonly steps: number;
  /** Only these places change; absent: all. */
  readonly focus?: Selected;
  /** Of step 1..steps: inputs [n, ...sample], the oracle's logits [n, classes], labels [n] (-1: none). A function of the step. */
  batch(step: number): { readonly inputs: TensorView; readonly logits: Float32Array; readonly labels: Int32Array };
}

export interface SectionPlan extends Pick<TrainPlan, "steps" | "focus"> {
  /** Of step 1..steps: inputs [n, ...sample], labels [n] (-1: none). A function of the step. */
  batch(step: number): { readonly inputs: TensorView; readonly labels: Int32Array };
  /** What the oracle makes of inputs as a step shows them. @returns undefined when there is nothing more to learn of it */
  teach(inputs: TensorView): Promise<Lesson | undefined>;
}

/** What an oracle makes of n inputs. */
export interface Lesson {
  /** f32 [n, ...] of each of its sections but the last. */
  readonly activations: readonly TensorView[];
  /** f32 [n, classes] */
  readonly logits: TensorView;
}
