/**
 * The mathematics of one block: forward, gradient source, backward, update. Batches are identified by their step; a
 * bounded number of recordings is retained until their gradient arrives. The source decides what a late gradient does.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type AutoChoice,
  createGradientSource,
  type BlockGradientSource,
  type GradientModel,
  type GradientOrigin,
  type GradientSource,
  type GradientSourceSpecs,
  type SourcedGradient,
} from "./gradient-sources/index.ts";
import {
  createBlockModel,
  createSlice,
  deriveSeed,
  learningRateAt,
  type LearningRateOptions,
  type Slice,
  type SliceSnapshot,
  softmaxCrossEntropy,
  toData,
  toTensor,
} from "../nn/index.ts";
import type { LayerSpec, OptimizerSpec } from "../../run-spec/index.ts";
import type { TensorData } from "../tensor-data.ts";
import { createPendingGradients } from "./pending-gradients.ts";
import { createRetainedBatches, type RetainBounds, type RetainedBatch } from "./retained-batches.ts";

export interface BlockUnitOptions {
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
  readonly seed: number;
  readonly optimizer: OptimizerSpec;
  readonly learningRate: LearningRateOptions;
  readonly source: BlockGradientSource;
  /** Whether the previous block uses the gradient at this block's input. False for the first block. */
  readonly wantsInputGradient: boolean;
  /** Bounds of the batches retained for their gradient; the newest one is always retained. */
  readonly retain: RetainBounds;
  /** Classes of the data, for a local classifier. */
  readonly classes: number;
  /** Steps of the run, over which the share of a mixed source moves. */
  readonly totalSteps: number;
  readonly sources: GradientSourceSpecs;
  /** The gradient model is on another node: its predictions arrive through `receive`, with origin `synthetic`. */
  readonly isGradientModelElsewhere: boolean;
}

export interface TrainRequest {
  readonly step: number;
  /** [batch, ...input shape] */
  readonly input: TensorData;
  /** [batch] i32 */
  readonly labels: TensorData;
}

/** Outcome of a batch or of a gradient. */
export interface UpdateOutcome {
  /** Whether the weights changed; false while the gradient is pending, or when it was too late. */
  readonly isApplied: boolean;
  /** Updates of the weights so far. */
  readonly version: number;
  /** Whether the gradient is accumulated for the next update: it was in time, and no weight has changed yet. */
  readonly isAccumulated?: boolean;
  /** Updates between the batch's forward and the use of its gradient, where it was used; 0 at once. */
  readonly age?: number;
  /** Per-sample gradient at the block's input, where it is used and known. */
  readonly inputGradient?: TensorData;
  /** Origin of the gradient that was applied, and with it of `inputGradient`. */
  readonly origin?: GradientOrigin;
  /** Mean loss of the batch, nats; last block only. */
  readonly loss?: number;
  /** Recordings retained now. */
  readonly retained: number;
  /** Of these, batches that the weights do not include yet. */
  readonly pending: number;
  /** Batches abandoned so far, by a bound or by `forget`, that the weights do not include. */
  readonly forgotten: number;
}

export interface EvaluateOutcome {
  /** Absent for the last block. */
  readonly output?: TensorData;
  /** Last block only. */
  readonly correct?: number;
  /** Last block only: summed over the batch, nats. */
  readonly lossSum?: number;
}

export interface BlockUnit {
  readonly parameters: number;
  readonly outputShape: readonly number[];
  /** Trains on a batch; `publish` gets the activation before the backward begins (not for the last block). */
  train(request: TrainRequest, publish: (activation: TensorData, version: number) => void): UpdateOutcome;
  /**
   * Accepts a gradient that arrived over the bus for an earlier step: from the next block, or from a gradient model on
   * another node. A duplicate, or one whose recording is gone, changes nothing.
   * @throws KnowledgeNetError KN_SHAPE, KN_NUMERIC: no weight has changed, and the recording is gone.
   */
  receive(step: number, gradient: TensorData, origin: GradientOrigin): UpdateOutcome;
  evaluate(input: TensorData, labels: TensorData): EvaluateOutcome;
  /**
   * Selects the gradient model or the auxiliary head, from the next batch on; batches retained for the previous choice
   * are abandoned. @throws KnowledgeNetError KN_INVARIANT unless the source is `auto`.
   */
  use(choice: AutoChoice): void;
  /** Abandons every retained batch. @returns how many of them the weights do not include. */
  forget(): number;
  /** State of the block and, under `auxiliary/`, of its head; without retained batches and pending gradients. */
  snapshot(): SliceSnapshot;
  /**
   * Discards retained batches and pending gradients.
   * @throws KnowledgeNetError KN_CHECKPOINT when a tensor is missing or of another shape.
   */
  restore(snapshot: SliceSnapshot): void;
  dispose(): void;
}

/** @param gradientModel returns the gradient model beside the block; called at each use: it may have been reopened. */
export function createBlockUnit(options: BlockUnitOptions, gradientModel?: () => GradientModel): BlockUnit {
  const isLast = options.source === "task-loss";
  const slice = createSlice(createBlockModel(options), options.optimizer);
  const source = openSource(options, slice, gradientModel);
  const retained = createRetainedBatches(options.retain);
  const pending = createPendingGradients();

  const figures = (): Pick<UpdateOutcome, "version" | "retained" | "pending" | "forgotten"> => ({
    version: slice.version,
    retained: retained.count,
    pending: retained.pending,
    forgotten: retained.forgotten,
  });

  /** Backward and one update. Takes over the gradient; the recording ends unless the source keeps it. */
  const apply = (batch: RetainedBatch, sourced: SourcedGradient) => {
    const { gradient, origin, share = 1, rateScale = 1, keep = false } = sourced;
    const { wantsInputGradient } = options;
    const age = slice.version - batch.version;
    let weights: readonly tf.Tensor[] = [];
    let input: tf.Tensor | undefined;
    try {
      ({ weights, input } = slice.pullBack(batch.recording, gradient, { wantsInputGradient, keep }));
      // Before the update: a value that is not finite throws here.
      const inputGradient = input === undefined ? undefined : toData(input, "the gradient at the block's input");
      weights = pending.combine(weights, share);
      slice.apply(weights, rateScale * learningRateAt(slice.version + 1, options.learningRate));
      batch.taken.add(origin);
      batch.isApplied = true;
      return { isApplied: true, origin, age, ...(inputGradient === undefined ? {} : { inputGradient }) } as const;
    } finally {
      tf.dispose([...weights]);
      input?.dispose();
      gradient.dispose();
    }
  };

  /** Backward; the next update includes its gradients. Takes over as `apply`. */
  const accumulate = (batch: RetainedBatch, { gradient, origin, share = 1, keep = false }: SourcedGradient) => {
    try {
      pending.add(slice.pullBack(batch.recording, gradient, { wantsInputGradient: false, keep }).weights, share);
      batch.taken.add(origin);
      const age = slice.version - batch.version;
      return { isApplied: false, isAccumulated: true, origin, age } as const;
    } finally {
      gradient.dispose();
    }
  };

  const clear = (): void => {
    retained.clear();
    pending.clear();
  };

  return {
    parameters: slice.parameters,
    outputShape: slice.outputShape,
    train({ step, input, labels }, publish) {
      retained.end(step);
      const recording = slice.record([toTensor(input)], step);
      const batch: RetainedBatch = { recording, version: slice.version, taken: new Set(), isApplied: false };
      const labelTensor = toTensor(labels);
      try {
        if (!isLast) publish(toData(recording.output, "the activation"), slice.version);
        const sourced = source.atOnce({ step, output: recording.output, labels: labelTensor });
        if (sourced === undefined) {
          retained.put(step, batch);
          return { isApplied: false, ...figures() };
        }
        const used = apply(batch, sourced);
        if (sourced.keep === true) retained.put(step, batch);
        const { lossSum } = sourced;
        return {
          ...used,
          ...figures(),
          ...(lossSum === undefined ? {} : { loss: lossSum / (labels.shape[0] ?? 1) }),
        };
      } catch (error) {
        recording.dispose();
        throw error;
      } finally {
        labelTensor.dispose();
      }
    },
    receive(step, data, origin) {
      const batch = retained.get(step);
      if (batch === undefined) return { isApplied: false, ...figures() };
      const gradient = toTensor(data);
      try {
        const age = slice.version - batch.version;
        const answer = source.onArrival({ step, gradient, origin, age, taken: batch.taken });
        const sourced = answer.apply ?? answer.accumulate;
        if (sourced === undefined) return { isApplied: false, ...figures() };
        const used = answer.apply === undefined ? accumulate(batch, sourced) : apply(batch, sourced);
        if (sourced.keep !== true) retained.end(step);
        return { ...used, ...figures() };
      } catch (error) {
        retained.end(step);
        throw error;
      } finally {
        gradient.dispose();
      }
    },
    evaluate(input, labels) {
      const [samples, labelTensor] = [toTensor(input), toTensor(labels)];
      let output: tf.Tensor | undefined;
      try {
        output = slice.infer([samples]);
        if (!isLast) return { output: toData(output, "the activation") };
        const { gradient, correct, lossSum } = softmaxCrossEntropy(output, labelTensor);
        gradient.dispose();
        return { correct, lossSum };
      } finally {
        tf.dispose([samples, labelTensor]);
        output?.dispose();
      }
    },
    use(choice) {
      if (source.use === undefined) {
        throw new KnowledgeNetError("KN_INVARIANT", {
          attempt: `put the ${choice} source in charge of a block`,
          rule: "its gradient source must be auto",
          value: options.source,
        });
      }
      if (source.use(choice)) retained.forget();
    },
    forget: () => retained.forget(),
    snapshot() {
      const { version, tensors } = slice.snapshot();
      return { version, tensors: { ...tensors, ...source.snapshot?.() } };
    },
    restore(snapshot) {
      clear();
      source.restore?.(snapshot.tensors);
      slice.restore(snapshot);
    },
    dispose() {
      clear();
      source.dispose?.();
      slice.dispose();
    },
  };
}

function openSource(
  options: BlockUnitOptions,
  slice: Slice,
  gradientModel: (() => GradientModel) | undefined,
): GradientSource {
  try {
    const boundaryShape = slice.outputShape;
    // Named by the layer before the cut: the other cuts do not change it.
    const seed = deriveSeed(options.seed, options.layers.at(-1)?.name ?? "");
    return createGradientSource({ ...options, boundaryShape, seed }, gradientModel);
  } catch (error) {
    slice.dispose();
    throw error;
  }
}
