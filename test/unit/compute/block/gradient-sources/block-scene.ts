/** What the tests of the sources share: a block on [8, 8, 2] that gives [27], and its gradients by tfjs's own differentiation. */
import * as tf from "@tensorflow/tfjs";
import type { GradientModel } from "../../../../../src/compute/block/gradient-sources/index.ts";
import { createGradientModel } from "../../../../../src/compute/block/gradient-sources/index.ts";
import type { BlockUnitOptions, NamedTensorData, TensorData } from "../../../../../src/compute/index.ts";
import { createBlockModel } from "../../../../../src/compute/nn/block-model.ts";
import type { BlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import { BLOCK_DEFAULTS, CONV_LAYERS, labelData, normalData, relativeDifference } from "../../reference.ts";

export const BATCH = 6;
export const labels = labelData(BATCH, 5);
export const sample = (step: number): TensorData => normalData([BATCH, 8, 8, 2], step);
/** The gradient that comes back for `step`. */
export const returned = (step: number): TensorData => normalData([BATCH, 27], 500 + step);
/** What M predicts for `step`. */
export const predicted = (step: number): TensorData => normalData([BATCH, 27], 900 + step);

/** Plain gradient descent at rate 1: a weight moves by minus its gradient. */
export const DESCENT = {
  optimizer: { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false },
  learningRate: { peak: 1, schedule: "constant", totalSteps: 100 },
} as const satisfies Partial<BlockUnitOptions>;

export function blockOptions(changes: Partial<BlockUnitOptions> = {}): BlockUnitOptions {
  return {
    inputShape: [8, 8, 2],
    layers: CONV_LAYERS,
    seed: 3,
    optimizer: { kind: "adam", learningRate: 1e-2 },
    learningRate: { peak: 1e-2, schedule: "constant", totalSteps: 100 },
    source: "locked",
    wantsInputGradient: true,
    ...BLOCK_DEFAULTS,
    ...changes,
  };
}

export function gradientModel(boundaryShape: readonly number[] = [27]): GradientModel {
  return createGradientModel({
    boundaryShape,
    classes: 5,
    spec: { hidden: 8, optimizer: { kind: "adam", learningRate: 1e-3 }, learnEvery: 1 },
    seed: 1,
    retain: 4,
  });
}

/** A gradient model that predicts `predicted(step)`, and notes what it was asked. */
export function fakeGradientModel(): GradientModel & { readonly calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    parameters: 0,
    forgotten: 0,
    predict(step) {
      calls.push(`predict ${step}`);
      return toTensor(predicted(step));
    },
    remember(step) {
      calls.push(`remember ${step}`);
    },
    learn: () => undefined,
    snapshot: () => ({ version: 0, tensors: {} }),
    restore: () => undefined,
    dispose: () => undefined,
  };
}

export function toTensor({ values, shape }: TensorData): tf.Tensor {
  return tf.tensor(values, [...shape]);
}

/** Trains on `sample(step)`. */
export function train(unit: BlockUnit, step: number): ReturnType<BlockUnit["train"]> {
  return unit.train({ step, input: sample(step), labels }, () => undefined);
}

/** Gradients of `sum(output * gradient)` by the block's weights, divided by the batch size, and by its input. */
export interface ReferenceGradients {
  readonly weights: Readonly<Record<string, Float32Array>>;
  readonly input: Float32Array;
}

/** By tf.variableGrads and tf.grad, on `sample(step)`, at the weights of a snapshot. */
export function referenceGradients(at: NamedTensorData, step: number, gradient: TensorData): ReferenceGradients {
  const model = createBlockModel(blockOptions());
  const [x, seed] = [toTensor(sample(step)), toTensor(gradient)];
  for (const weight of model.weights) weight.write(toTensor(at[`weights/${weight.originalName}`] as TensorData));
  const objective = (input: tf.Tensor): tf.Scalar =>
    (model.apply(input, { training: true }) as tf.Tensor).mul(seed).sum() as tf.Scalar;
  const weights: Record<string, Float32Array> = {};
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { grads, value } = tf.variableGrads(() => objective(x), variables);
  for (const weight of model.trainableWeights) {
    const sums = (grads[(weight.read() as tf.Variable).name] as tf.Tensor).dataSync() as Float32Array;
    weights[`weights/${weight.originalName}`] = sums.map((sum) => sum / BATCH);
  }
  const byInput = tf.grad(objective as (input: tf.Tensor) => tf.Tensor)(x);
  const input = Float32Array.from(byInput.dataSync());
  tf.dispose([x, seed, value, byInput, ...Object.values(grads)]);
  model.dispose();
  return { weights, input };
}

/** The sum of `factor` times each of the gradients, by weight. */
export function combination(
  ...parts: readonly (readonly [factor: number, gradients: ReferenceGradients])[]
): Record<string, Float32Array> {
  const sum: Record<string, Float32Array> = {};
  for (const [factor, { weights }] of parts) {
    for (const [name, values] of Object.entries(weights)) {
      sum[name] = values.map((value, index) => factor * value + (sum[name]?.[index] ?? 0));
    }
  }
  return sum;
}

/** Largest relative difference between how the weights moved from one snapshot to the next and minus `expected`. */
export function moveDifference(
  before: NamedTensorData,
  after: NamedTensorData,
  expected: Readonly<Record<string, Float32Array>>,
): number {
  const differences = Object.entries(expected).map(([name, gradient]) => {
    const [from, to] = [before[name]?.values, after[name]?.values] as [Float32Array, Float32Array];
    return relativeDifference(
      from.map((value, index) => value - (to[index] as number)),
      gradient,
    );
  });
  return Math.max(...differences);
}
