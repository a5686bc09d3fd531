import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { createOptimizer, type Optimizer } from "../../../../../src/compute/nn/optimizer/index.ts";
import type { OptimizerSpec } from "../../../../../src/run-spec/index.ts";
import { normal, relativeDifference } from "../../reference.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

const SHAPES = [[5, 3], [3], [2, 2, 3, 4]] as const;
const STEPS = 20;

function variables(): tf.Variable[] {
  return SHAPES.map((shape, index) => {
    const start = normal(shape, 7 + index);
    const variable = tf.variable(start);
    start.dispose();
    return variable;
  });
}

/** Gradients of step `step`, of sizes from 1e-4 to 1. */
function gradientsAt(step: number): tf.Tensor[] {
  return SHAPES.map((shape, index) =>
    tf.tidy(() => normal(shape, 1000 * step + index).mul(10 ** -((step + index) % 5))),
  );
}

function advance(
  optimizer: Optimizer,
  weights: readonly tf.Variable[],
  from: number,
  to: number,
  learningRate: number,
): void {
  for (let step = from; step <= to; step += 1) {
    const gradients = gradientsAt(step);
    optimizer.apply(weights, gradients, learningRate);
    tf.dispose(gradients);
  }
}

/** `STEPS` steps of an optimiser of tfjs and of ours from the same start; the largest relative difference of a weight. */
function apartFrom(reference: tf.Optimizer, spec: OptimizerSpec, learningRate: number): number {
  const ours = variables();
  const theirs = variables();
  const optimizer = createOptimizer(spec);
  advance(optimizer, ours, 1, STEPS, learningRate);
  for (let step = 1; step <= STEPS; step += 1) {
    const gradients = gradientsAt(step);
    reference.applyGradients(
      Object.fromEntries(theirs.map(({ name }, index) => [name, gradients[index] as tf.Tensor])),
    );
    tf.dispose(gradients);
  }
  const apart = ours.map((weight, index) =>
    relativeDifference(weight.dataSync(), (theirs[index] as tf.Tensor).dataSync()),
  );
  const moved = variables();
  moved.forEach((start, index) => {
    expect(relativeDifference((ours[index] as tf.Tensor).dataSync(), start.dataSync())).toBeGreaterThan(1e-3);
  });
  optimizer.dispose();
  reference.dispose();
  tf.dispose([...ours, ...theirs, ...moved]);
  return Math.max(...apart);
}

describe("createOptimizer", () => {
  it("adam equals tf.train.adam over 20 steps", () => {
    const spec: OptimizerSpec = { kind: "adam", learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    expect(apartFrom(tf.train.adam(1e-3, 0.9, 0.999, 1e-8), spec, 1e-3)).toBeLessThan(1e-6);
  });

  it("adam with a large epsilon puts it where tf.train.adam does: beside the corrected second moment", () => {
    const spec: OptimizerSpec = { kind: "adam", learningRate: 1e-2, beta1: 0.8, beta2: 0.9, epsilon: 0.1 };
    expect(apartFrom(tf.train.adam(1e-2, 0.8, 0.9, 0.1), spec, 1e-2)).toBeLessThan(1e-6);
  });

  it("adam's defaults are the paper's: algorithm 1 in double precision", () => {
    const weights = variables();
    const optimizer = createOptimizer({ kind: "adam", learningRate: 1e-3 });
    const expected = weights.map((weight) => Float64Array.from(weight.dataSync()));
    const first = expected.map(({ length }) => new Float64Array(length));
    const second = expected.map(({ length }) => new Float64Array(length));
    for (let step = 1; step <= STEPS; step += 1) {
      const gradients = gradientsAt(step);
      optimizer.apply(weights, gradients, 1e-3);
      gradients.forEach((gradient, index) => {
        const [w, m, v] = [expected[index], first[index], second[index]] as [Float64Array, Float64Array, Float64Array];
        gradient.dataSync().forEach((g, at) => {
          m[at] = 0.9 * (m[at] as number) + 0.1 * g;
          v[at] = 0.999 * (v[at] as number) + 0.001 * g * g;
          const corrected = m[at] / (1 - 0.9 ** step);
          w[at] = (w[at] as number) - (1e-3 * corrected) / (Math.sqrt(v[at] / (1 - 0.999 ** step)) + 1e-8);
        });
      });
      tf.dispose(gradients);
    }
    weights.forEach((weight, index) => {
      expect(relativeDifference(weight.dataSync(), expected[index] as Float64Array)).toBeLessThan(1e-6);
    });
    optimizer.dispose();
    tf.dispose(weights);
  });

  it.each([true, false])("sgd equals tf.train.momentum over 20 steps (Nesterov %s)", (nesterov) => {
    const spec: OptimizerSpec = { kind: "sgd", learningRate: 0.05, momentum: 0.9, nesterov };
    expect(apartFrom(tf.train.momentum(0.05, 0.9, nesterov), spec, 0.05)).toBeLessThan(1e-6);
  });

  it("sgd without momentum equals tf.train.sgd", () => {
    const spec: OptimizerSpec = { kind: "sgd", learningRate: 0.05, momentum: 0, nesterov: false };
    expect(apartFrom(tf.train.sgd(0.05), spec, 0.05)).toBeLessThan(1e-6);
  });

  it("sgd with weight decay shrinks matrices, not vectors: the gradient of L2 by tf.grads", () => {
    const decay = 0.1;
    const [matrix, vector] = variables() as [tf.Variable, tf.Variable];
    const penalty = tf.grad((w: tf.Tensor) =>
      w
        .square()
        .sum()
        .mul(decay / 2),
    )(matrix);
    const expected = tf.tidy(() => matrix.sub(penalty.mul(0.5)).dataSync());
    const before = Float32Array.from(vector.dataSync());
    const zeros = [tf.zerosLike(matrix), tf.zerosLike(vector)];
    const optimizer = createOptimizer({
      kind: "sgd",
      learningRate: 0.5,
      momentum: 0,
      nesterov: false,
      weightDecay: decay,
    });
    optimizer.apply([matrix, vector], zeros, 0.5);
    expect(relativeDifference(matrix.dataSync(), expected)).toBeLessThan(1e-6);
    expect(relativeDifference(vector.dataSync(), before)).toBe(0);
    optimizer.dispose();
    tf.dispose([matrix, vector, penalty, ...zeros]);
  });

  it.each<OptimizerSpec>([
    { kind: "adam", learningRate: 1e-3 },
    { kind: "sgd", learningRate: 0.05 },
  ])("restore continues $kind bit-equal to an optimiser that was not interrupted", (spec) => {
    const straight = variables();
    const uninterrupted = createOptimizer(spec);
    advance(uninterrupted, straight, 1, STEPS, 1e-2);

    const halves = variables();
    const before = createOptimizer(spec);
    advance(before, halves, 1, STEPS / 2, 1e-2);
    const saved = Object.fromEntries(
      Object.entries(before.state()).map(([name, tensor]) => [name, Float32Array.from(tensor.dataSync())]),
    );
    const updates = before.updates;
    before.dispose();
    const after = createOptimizer(spec);
    after.restore(updates, (name, like) => tf.tensor(saved[name] as Float32Array, like.shape), halves);
    expect(after.updates).toBe(STEPS / 2);
    advance(after, halves, STEPS / 2 + 1, STEPS, 1e-2);

    halves.forEach((weight, index) => {
      expect(weight.dataSync()).toEqual((straight[index] as tf.Tensor).dataSync());
    });
    uninterrupted.dispose();
    after.dispose();
    tf.dispose([...straight, ...halves]);
  });

  it("restored to no updates begins anew: what it remembered is gone", () => {
    const [used, fresh] = [variables(), variables()];
    const optimizer = createOptimizer({ kind: "adam", learningRate: 1e-3 });
    const other = variables();
    advance(optimizer, other, 1, 3, 1e-2);
    optimizer.restore(0, () => tf.scalar(0), used);
    expect(optimizer.state()).toEqual({});
    const reference = createOptimizer({ kind: "adam", learningRate: 1e-3 });
    advance(optimizer, used, 1, 3, 1e-2);
    advance(reference, fresh, 1, 3, 1e-2);
    used.forEach((weight, index) => {
      expect(weight.dataSync()).toEqual((fresh[index] as tf.Tensor).dataSync());
    });
    optimizer.dispose();
    reference.dispose();
    tf.dispose([...used, ...fresh, ...other]);
  });

  it("apply refuses a variable without a gradient", () => {
    const weights = variables();
    const optimizer = createOptimizer({ kind: "adam", learningRate: 1e-3 });
    expect(() => {
      optimizer.apply(weights, [], 1e-3);
    }).toThrow(TypeError);
    optimizer.dispose();
    tf.dispose(weights);
  });

  it("keeps numTensors flat and frees its state on dispose", () => {
    const weights = variables();
    const before = tf.memory().numTensors;
    const optimizer = createOptimizer({ kind: "adam", learningRate: 1e-3 });
    advance(optimizer, weights, 1, 1, 1e-3);
    const running = tf.memory().numTensors;
    advance(optimizer, weights, 2, 20, 1e-3);
    expect(tf.memory().numTensors).toBe(running);
    expect(running).toBe(before + 2 * SHAPES.length);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
  });
});
