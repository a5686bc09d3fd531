import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import {
  createGradientModel,
  type GradientModelOptions,
} from "../../../../../src/compute/block/gradient-sources/gradient-model.ts";
import type { SliceSnapshot } from "../../../../../src/compute/nn/slice.ts";
import { labelData, normal, relativeDifference } from "../../reference.ts";

const BATCH = 16;
const CLASSES = 5;

beforeAll(async () => {
  await selectBackend("auto");
});

function options(changes: Partial<GradientModelOptions> = {}): GradientModelOptions {
  return {
    boundaryShape: [6],
    classes: CLASSES,
    // Plain gradient descent at rate 1: a weight moves by minus its gradient.
    spec: {
      hidden: 12,
      optimizer: { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false },
      learnEvery: 1,
    },
    seed: 4,
    retain: 4,
    ...changes,
  };
}

const adam = { hidden: 32, optimizer: { kind: "adam", learningRate: 1e-2 }, learnEvery: 1 } as const;

function batchLabels(): tf.Tensor {
  return tf.tensor(labelData(BATCH, CLASSES).values, [BATCH], "int32");
}

/** A weight of a snapshot as a tensor. */
function weightOf({ tensors }: SliceSnapshot, name: string): tf.Tensor {
  const saved = tensors[`weights/${name}`];
  if (saved === undefined) throw new RangeError(`no ${name} among ${Object.keys(tensors).join(", ")}`);
  return tf.tensor(saved.values, [...saved.shape]);
}

/** The trained weights of M in the order in which `network` takes them. */
const WEIGHTS = [
  "from_activation/kernel",
  "from_label/kernel",
  "norm/gamma",
  "norm/beta",
  "gradient/kernel",
  "gradient/bias",
] as const;

/** M written with tf's operations: [batch, ...boundary], [batch, classes] -> [batch, ...boundary]. */
function network(activation: tf.Tensor, label: tf.Tensor, weights: readonly tf.Tensor[]): tf.Tensor {
  const [w1, v, gamma, beta, w2, bias] = weights as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const isSpatial = activation.rank === 4;
  const apply = (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
    isSpatial
      ? tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same")
      : tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
  const labelTerm = tf.matMul(label as tf.Tensor2D, v as tf.Tensor2D);
  const sum = apply(activation, w1).add(isSpatial ? labelTerm.reshape([BATCH, 1, 1, -1]) : labelTerm);
  const { mean, variance } = tf.moments(sum, isSpatial ? [0, 1, 2] : [0]);
  const normed = sum.sub(mean).div(variance.add(1e-3).sqrt()).mul(gamma).add(beta); // Keras's epsilon
  return apply(normed.relu(), w2).add(bias);
}

describe("createGradientModel", () => {
  it.each([[[6]], [[4, 4, 3]]])("starts by predicting exactly zero (boundary [%s])", (boundaryShape) => {
    const model = createGradientModel(options({ boundaryShape }));
    const activation = normal([BATCH, ...boundaryShape], 1);
    const labels = batchLabels();
    const prediction = model.predict(1, activation, labels);
    expect(prediction.shape).toEqual(activation.shape);
    expect(prediction.dataSync().every((value) => value === 0)).toBe(true);
    tf.dispose([activation, labels, prediction]);
    model.dispose();
  });

  it.each([[[6]], [[4, 4, 3]]])(
    "learns by the gradient of the batch mean of the summed squared error, by tf.grads (boundary [%s])",
    (boundaryShape) => {
      const model = createGradientModel(options({ boundaryShape }));
      const labels = batchLabels();
      const label = tf.tidy(() => tf.oneHot(labels, CLASSES).toFloat());
      const shape = [BATCH, ...boundaryShape];
      // At zero output weights no gradient reaches the hidden layer: two small steps first.
      for (let step = 1; step <= 2; step += 1) {
        const [activation, arrived] = [normal(shape, step), normal(shape, 50 + step)];
        model.predict(step, activation, labels).dispose();
        model.learn(step, arrived, 0.02);
        tf.dispose([activation, arrived]);
      }
      const [activation, arrived] = [normal(shape, 9), normal(shape, 10)];
      const before = model.snapshot();
      const weights = WEIGHTS.map((name) => weightOf(before, name));
      const loss = (...given: tf.Tensor[]): tf.Tensor =>
        network(activation, label, given).squaredDifference(arrived).sum().div(BATCH);
      const expected = tf.grads(loss)(weights);
      const expectedPrediction = network(activation, label, weights);

      const prediction = model.predict(9, activation, labels);
      expect(relativeDifference(prediction.dataSync(), expectedPrediction.dataSync())).toBeLessThan(1e-5);
      const quality = model.learn(9, arrived, 1);
      const after = model.snapshot();
      WEIGHTS.forEach((name, index) => {
        const next = weightOf(after, name);
        const moved = tf.tidy(() => (weights[index] as tf.Tensor).sub(next).dataSync());
        expect(relativeDifference(moved, (expected[index] as tf.Tensor).dataSync()), name).toBeLessThan(1e-4);
        next.dispose();
      });

      const [p, a] = [prediction.dataSync(), arrived.dataSync()];
      const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
        Array.from(x).reduce((sum, value, index) => sum + value * (y[index] as number), 0);
      expect(quality?.cosine).toBeCloseTo(dot(p, a) / Math.sqrt(dot(p, p) * dot(a, a)), 5);
      const apart = p.map((value, index) => value - (a[index] as number));
      expect(quality?.relativeError).toBeCloseTo(Math.sqrt(dot(apart, apart) / dot(a, a)), 5);
      expect(quality?.updates).toBe(3);
      tf.dispose([activation, arrived, labels, label, ...weights, ...expected, expectedPrediction, prediction]);
      model.dispose();
    },
  );

  it.each([[[8]], [[4, 4, 2]]])(
    "learns a linear target: the cosine rises above 0.9 (boundary [%s])",
    (boundaryShape) => {
      const model = createGradientModel(options({ boundaryShape, spec: adam }));
      const labels = batchLabels();
      const channels = boundaryShape.at(-1) as number;
      const [fromActivation, fromLabel] = [normal([channels, channels], 1), normal([CLASSES, channels], 2)];
      let cosine = -1;
      let steps = 0;
      while (cosine <= 0.9 && steps < 300) {
        steps += 1;
        const activation = normal([BATCH, ...boundaryShape], 100 + steps);
        const target = tf.tidy(() => {
          const own = tf.matMul(activation.reshape([-1, channels]) as tf.Tensor2D, fromActivation as tf.Tensor2D);
          const label = tf.matMul(tf.oneHot(labels, CLASSES).toFloat() as tf.Tensor2D, fromLabel as tf.Tensor2D);
          const between = boundaryShape.slice(0, -1).map(() => 1);
          return own.reshape(activation.shape).add(label.reshape([BATCH, ...between, channels]));
        });
        model.predict(steps, activation, labels).dispose();
        cosine = model.learn(steps, target, 1e-2)?.cosine ?? -1;
        tf.dispose([activation, target]);
      }
      expect(cosine).toBeGreaterThan(0.9);
      expect(steps).toBeGreaterThan(2);
      tf.dispose([labels, fromActivation, fromLabel]);
      model.dispose();
    },
  );

  it("learns with the weights of now, also when the gradient comes two steps late", () => {
    const late = createGradientModel(options());
    const prompt = createGradientModel(options());
    const labels = batchLabels();
    const [first, second] = [normal([BATCH, 6], 1), normal([BATCH, 6], 2)];
    const [firstArrived, secondArrived] = [normal([BATCH, 6], 3), normal([BATCH, 6], 4)];
    for (const [step, activation] of [[1, first], [2, second]] as const) late.predict(step, activation, labels).dispose(); // biome-ignore format: pairs
    late.learn(1, firstArrived, 0.01);
    late.learn(2, secondArrived, 0.01);
    prompt.predict(1, first, labels).dispose();
    prompt.learn(1, firstArrived, 0.01);
    prompt.predict(2, second, labels).dispose();
    prompt.learn(2, secondArrived, 0.01);
    for (const name of WEIGHTS) {
      const key = `weights/${name}`;
      expect(late.snapshot().tensors[key], name).toEqual(prompt.snapshot().tensors[key]);
    }
    tf.dispose([labels, first, second, firstArrived, secondArrived]);
    late.dispose();
    prompt.dispose();
  });

  it("keeps at most `retain` batches; learning for one that is forgotten or unknown gives undefined", () => {
    const model = createGradientModel(options({ retain: 2 }));
    const labels = batchLabels();
    const activation = normal([BATCH, 6], 1);
    for (const step of [1, 2, 3, 3]) model.predict(step, activation, labels).dispose();
    expect(model.forgotten).toBe(1);
    expect(model.learn(1, activation, 0.1)).toBeUndefined();
    expect(model.learn(7, activation, 0.1)).toBeUndefined();
    expect(model.learn(2, activation, 0.1)?.updates).toBe(1);
    expect(model.learn(2, activation, 0.1)).toBeUndefined();
    expect(model.learn(3, activation, 0.1)?.updates).toBe(2);
    tf.dispose([labels, activation]);
    model.dispose();
  });

  it("a gradient of another shape is KN_SHAPE and leaks nothing", () => {
    const model = createGradientModel(options());
    const labels = batchLabels();
    const [activation, wrong] = [normal([BATCH, 6], 1), normal([BATCH, 7], 1)];
    const before = tf.memory().numTensors;
    model.predict(1, activation, labels).dispose();
    expect(() => model.learn(1, wrong, 0.1)).toThrow(expect.objectContaining({ code: "KN_SHAPE" }));
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([labels, activation, wrong]);
    model.dispose();
  });

  it("quality is zero cosine against a zero gradient, and stays finite", () => {
    const model = createGradientModel(options());
    const labels = batchLabels();
    const [activation, zero, one] = [normal([BATCH, 6], 1), tf.zeros([BATCH, 6]), tf.ones([BATCH, 6])];
    model.predict(1, activation, labels).dispose();
    expect(model.learn(1, zero, 0.1)).toEqual({ cosine: 0, relativeError: 0, updates: 1 });
    model.predict(2, activation, labels).dispose();
    expect(model.learn(2, one, 0.1)).toEqual({ cosine: 0, relativeError: 1, updates: 2 });
    model.predict(3, activation, labels).dispose();
    expect(model.learn(3, zero, 0.1)).toEqual({ cosine: 0, relativeError: Number.MAX_VALUE, updates: 3 });
    tf.dispose([labels, activation, zero, one]);
    model.dispose();
  });

  it("snapshot and restore give equal predictions and an equal next update", () => {
    const original = createGradientModel(options({ spec: adam }));
    const labels = batchLabels();
    const [activation, arrived] = [normal([BATCH, 6], 1), normal([BATCH, 6], 2)];
    for (let step = 1; step <= 3; step += 1) {
      original.predict(step, activation, labels).dispose();
      original.learn(step, arrived, 1e-2);
    }
    const restored = createGradientModel(options({ spec: adam, seed: 77 }));
    restored.restore(structuredClone(original.snapshot()));
    for (const model of [original, restored]) {
      model.predict(4, activation, labels).dispose();
      expect(model.learn(4, arrived, 1e-2)?.updates).toBe(4);
    }
    expect(restored.snapshot()).toEqual(original.snapshot());
    tf.dispose([labels, activation, arrived]);
    original.dispose();
    restored.dispose();
  });

  it("keeps numTensors flat while it predicts, learns and forgets, and frees everything on dispose", () => {
    const labels = batchLabels();
    const [activation, arrived] = [normal([BATCH, 6], 1), normal([BATCH, 6], 2)];
    const before = tf.memory().numTensors;
    const model = createGradientModel(options({ spec: adam, retain: 3 }));
    const counts = Array.from({ length: 30 }, (_, index) => {
      model.predict(index, activation, labels).dispose();
      if (index % 2 === 1) model.learn(index, arrived, 1e-2);
      return tf.memory().numTensors;
    });
    expect(counts[29]).toBe(counts[9]);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([labels, activation, arrived]);
  });
});
