/**
 * M, the gradient model of a boundary: (activation, label) to the per-sample gradient that backpropagation would bring
 * (Jaderberg et al. 2016, section 2.1; label-conditioned as in their cDNI).
 *
 * Hidden: `W1 h + V onehot(y)`, batch norm, ReLU; output layer initialised to zero, so that it starts by predicting no
 * gradient. At a boundary with height and width, 3x3 convolutions take the place of the matrices. Its batch norm always
 * uses the statistics of the batch at hand: it never predicts for anything but the batch that was just computed.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { GradientModelSpec } from "../../../run-spec/index.ts";
import {
  batchNormLayer,
  createSlice,
  deriveSeed,
  kernelInitializer,
  type Slice,
  type SliceSnapshot,
} from "../../nn/index.ts";

export interface GradientModelOptions {
  /** Shape of one sample of the activation: [features], or [height, width, channels]. */
  readonly boundaryShape: readonly number[];
  readonly classes: number;
  readonly spec: GradientModelSpec;
  readonly seed: number;
  /** Batches kept for learning until their gradient arrives. */
  readonly retain: number;
}

/** How one prediction compares with the gradient that arrived. */
export interface PredictionQuality {
  /** -1 to 1; 0 when either is zero. */
  readonly cosine: number;
  /** |prediction - arrived| / |arrived|, 0 or more. */
  readonly relativeError: number;
  /** Updates of M so far. */
  readonly updates: number;
}

export interface GradientModel {
  readonly parameters: number;
  /** Batches evicted because `retain` newer ones came before their gradient. */
  readonly forgotten: number;
  /** Keeps a batch for `learn` without a prediction, which saves the forward. Both are borrowed. */
  remember(step: number, activation: tf.Tensor, labels: tf.Tensor): void;
  /**
   * Predicts for a batch and keeps the batch for `learn`. `activation` and `labels` are borrowed, the result is the
   * caller's.
   */
  predict(step: number, activation: tf.Tensor, labels: tf.Tensor): tf.Tensor;
  /**
   * Learns from the gradient that arrived for `step` (borrowed): one update of mean over the batch of the squared error
   * summed over features. @returns undefined when the batch is no longer kept.
   */
  learn(step: number, arrived: tf.Tensor, learningRate: number): PredictionQuality | undefined;
  snapshot(): SliceSnapshot;
  restore(snapshot: SliceSnapshot): void;
  dispose(): void;
}

/**
 * Learning runs M again on the kept batch, with the current weights. Learning from the tape of the prediction instead
 * would save that forward, but its gradient is as old as the round trip: at two steps of delay Adam's fixed step made M
 * swing about its target and learn nothing (cosine 0.00 against 0.31 after 100 steps of the four-layer net).
 */
export function createGradientModel(options: GradientModelOptions): GradientModel {
  const { classes, spec, retain } = options;
  const slice: Slice = createSlice(buildModel(options), spec.optimizer);
  const waiting = new Map<number, readonly tf.Tensor[]>(); // inputs by step, oldest first
  let forgotten = 0;

  const forget = (step: number): void => {
    tf.dispose([...(waiting.get(step) ?? [])]);
    waiting.delete(step);
  };

  const keep = (step: number, activation: tf.Tensor, labels: tf.Tensor): readonly tf.Tensor[] => {
    forget(step);
    // [batch, ...boundary], [batch] -> [batch, classes]
    const inputs = [activation.clone(), tf.tidy(() => tf.oneHot(labels, classes).toFloat())];
    waiting.set(step, inputs);
    for (const oldest of waiting.keys()) {
      if (waiting.size <= retain) break;
      forget(oldest);
      forgotten += 1;
    }
    return inputs;
  };

  return {
    parameters: slice.parameters,
    get forgotten() {
      return forgotten;
    },
    remember(step, activation, labels) {
      keep(step, activation, labels);
    },
    predict: (step, activation, labels) => slice.forward(keep(step, activation, labels), step),
    learn(step, arrived, learningRate) {
      const inputs = waiting.get(step);
      if (inputs === undefined) return undefined;
      waiting.delete(step);
      const recording = slice.record(inputs, step);
      try {
        const [error, quality] = tf.tidy(() => compare(recording.output, arrived));
        slice.update(recording, error, { learningRate, wantsInputGradient: false });
        error.dispose();
        return { ...quality, updates: slice.version };
      } finally {
        recording.dispose();
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

/** Gradient of the squared error by the prediction, per sample, and the quality. */
function compare(prediction: tf.Tensor, arrived: tf.Tensor): [tf.Tensor, { cosine: number; relativeError: number }] {
  if (!tf.util.arraysEqual(prediction.shape, arrived.shape)) {
    throw new KnowledgeNetError("KN_SHAPE", {
      attempt: "teach a gradient model",
      rule: `the gradient must have the shape of its prediction, [${prediction.shape.join(", ")}]`,
      value: `[${arrived.shape.join(", ")}]`,
    });
  }
  const difference = prediction.sub(arrived);
  const [dot = 0, p = 0, a = 0, d = 0] = tf
    .stack([
      prediction.mul(arrived).sum(),
      prediction.square().sum(),
      arrived.square().sum(),
      difference.square().sum(),
    ])
    .dataSync();
  const norms = Math.sqrt(p * a);
  return [
    difference.mul(2),
    { cosine: norms > 0 ? dot / norms : 0, relativeError: a > 0 ? Math.sqrt(d / a) : d > 0 ? Number.MAX_VALUE : 0 },
  ];
}

function buildModel({ boundaryShape, classes, spec, seed }: GradientModelOptions): tf.LayersModel {
  const activation = tf.input({ shape: [...boundaryShape], name: "activation" });
  const label = tf.input({ shape: [classes], name: "label" });
  const initializer = (word: string) => kernelInitializer(deriveSeed(seed, "gradient-model", word));
  const isSpatial = boundaryShape.length === 3;

  // [batch, ...boundary] -> [batch, ..., hidden]
  const fromActivation = isSpatial
    ? tf.layers.conv2d({
        name: "from_activation",
        filters: spec.hidden,
        kernelSize: 3,
        padding: "same",
        useBias: false,
        kernelInitializer: initializer("activation"),
      })
    : tf.layers.dense({
        name: "from_activation",
        units: spec.hidden,
        useBias: false,
        kernelInitializer: initializer("activation"),
      });
  const fromLabel = tf.layers.dense({
    name: "from_label",
    units: spec.hidden,
    useBias: false, // batch norm removes a constant
    kernelInitializer: initializer("label"),
  });
  let labelTerm = fromLabel.apply(label) as tf.SymbolicTensor; // [batch, hidden]
  if (isSpatial)
    labelTerm = tf.layers.reshape({ targetShape: [1, 1, spec.hidden] }).apply(labelTerm) as tf.SymbolicTensor;
  const sum = tf.layers.add().apply([fromActivation.apply(activation) as tf.SymbolicTensor, labelTerm]);
  const normed = batchNormLayer({ name: "norm", momentum: 0.9 }).apply(sum);
  const active = tf.layers.reLU({ name: "active" }).apply(normed);
  const channels = boundaryShape.at(-1) ?? 1;
  // Zero: an untrained M must not move its block (recipes: otherwise the first steps do harm).
  const output = isSpatial
    ? tf.layers.conv2d({
        name: "gradient",
        filters: channels,
        kernelSize: 3,
        padding: "same",
        kernelInitializer: "zeros",
      })
    : tf.layers.dense({ name: "gradient", units: channels, kernelInitializer: "zeros" });
  return tf.model({ inputs: [activation, label], outputs: output.apply(active) as tf.SymbolicTensor });
}
