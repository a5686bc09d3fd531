/**
 * The mathematics of one block: forward, ask the gradient source, backward, update. Knows batches by their step and
 * keeps at most `retain` recordings whose gradient is on its way.
 */
import * as tf from "@tensorflow/tfjs";
import {
  createGradientSource,
  type BlockGradientSource,
  type GradientModel,
  type GradientOrigin,
  type PredictionQuality,
} from "../gradient-sources/index.ts";
import { softmaxCrossEntropy } from "../losses/softmax-cross-entropy.ts";
import { type LearningRateOptions, learningRateAt } from "../optimizer/index.ts";
import type { LayerSpec, OptimizerSpec } from "../../spec/index.ts";
import type { TensorData } from "../tensor-data.ts";
import { createBlockModel } from "./block-model.ts";
import { createSlice, type Recording, type SliceSnapshot } from "./slice.ts";
import { toData, toTensor } from "./tensors.ts";

export interface BlockUnitOptions {
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
  readonly seed: number;
  readonly optimizer: OptimizerSpec;
  readonly learningRate: LearningRateOptions;
  readonly source: BlockGradientSource;
  /** Whether the block before wants the gradient at this block's input. False for the first block. */
  readonly wantsInputGradient: boolean;
  /** Recordings kept while their gradient is on its way. */
  readonly retain: number;
}

export interface TrainRequest {
  readonly step: number;
  /** [batch, ...input shape] */
  readonly input: TensorData;
  /** [batch] i32 */
  readonly labels: TensorData;
}

/** What a batch, or a gradient, led to. */
export interface UpdateOutcome {
  /** Whether the weights changed; false while the gradient is still to come, or came too late. */
  readonly isApplied: boolean;
  /** Updates of the weights so far. */
  readonly version: number;
  /** Per-sample gradient at the block's input, where it is wanted and known. */
  readonly inputGradient?: TensorData;
  /** Origin of the gradient that was applied, and with it of `inputGradient`. */
  readonly origin?: GradientOrigin;
  /** Mean loss of the batch, nats; last block only. */
  readonly loss?: number;
  readonly quality?: PredictionQuality;
  /** Recordings given up so far because `retain` newer ones came before their gradient. */
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
  /** Takes a gradient that came over the bus for an earlier step. */
  receive(step: number, gradient: TensorData, origin: GradientOrigin): UpdateOutcome;
  evaluate(input: TensorData, labels: TensorData): EvaluateOutcome;
  snapshot(): SliceSnapshot;
  restore(snapshot: SliceSnapshot): void;
  dispose(): void;
}

/** @param gradientModel finds the gradient model beside the block; asked at each use, since M may be opened anew. */
export function createBlockUnit(options: BlockUnitOptions, gradientModel?: () => GradientModel): BlockUnit {
  const { wantsInputGradient, retain } = options;
  const slice = createSlice(createBlockModel(options), options.optimizer);
  const source = createGradientSource(options.source, gradientModel);
  const isLast = options.source === "task-loss";
  const waiting = new Map<number, Recording>(); // by step, oldest first
  let forgotten = 0;

  const forget = (step: number): void => {
    waiting.get(step)?.dispose();
    waiting.delete(step);
  };

  /** Takes over both. */
  const apply = (recording: Recording, gradient: tf.Tensor): TensorData | undefined => {
    let atInput: tf.Tensor | undefined;
    try {
      const rate = learningRateAt(slice.version + 1, options.learningRate);
      atInput = slice.update(recording, gradient, { learningRate: rate, wantsInputGradient });
      return atInput === undefined ? undefined : toData(atInput, "the gradient at the block's input");
    } finally {
      gradient.dispose();
      atInput?.dispose();
    }
  };

  return {
    parameters: slice.parameters,
    outputShape: slice.outputShape,
    train({ step, input, labels }, publish) {
      forget(step);
      const recording = slice.record([toTensor(input)], step);
      const labelTensor = toTensor(labels);
      try {
        if (!isLast) publish(toData(recording.output, "the activation"), slice.version);
        const sourced = source.atOnce({ step, output: recording.output, labels: labelTensor });
        if (sourced === undefined) {
          waiting.set(step, recording);
          for (const oldest of waiting.keys()) {
            if (waiting.size <= retain) break;
            forget(oldest);
            forgotten += 1;
          }
          return { isApplied: false, version: slice.version, forgotten };
        }
        const { gradient, origin, lossSum } = sourced;
        const inputGradient = apply(recording, gradient);
        return {
          isApplied: true,
          version: slice.version,
          forgotten,
          origin,
          ...(inputGradient === undefined ? {} : { inputGradient }),
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
      const gradient = toTensor(data);
      try {
        const { apply: sourced, quality } = source.onArrival({ step, gradient, origin });
        const shared = { forgotten, ...(quality === undefined ? {} : { quality }) };
        const recording = waiting.get(step);
        if (sourced === undefined || recording === undefined) {
          sourced?.gradient.dispose();
          return { isApplied: false, version: slice.version, ...shared };
        }
        waiting.delete(step);
        const inputGradient = apply(recording, sourced.gradient);
        return {
          isApplied: true,
          version: slice.version,
          origin: sourced.origin,
          ...(inputGradient === undefined ? {} : { inputGradient }),
          ...shared,
        };
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
    snapshot: () => slice.snapshot(),
    restore(snapshot) {
      for (const step of [...waiting.keys()]) forget(step);
      slice.restore(snapshot);
    },
    dispose() {
      for (const step of [...waiting.keys()]) forget(step);
      slice.dispose();
    },
  };
}
