import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { createBlockModel } from "../../../../src/compute/nn/block-model.ts";
import { createSlice, type Slice } from "../../../../src/compute/nn/slice.ts";
import type { OptimizerSpec } from "../../../../src/run-spec/index.ts";
import { CONV_LAYERS, HEAD_LAYERS, normal, relativeDifference } from "../reference.ts";

const SGD: OptimizerSpec = { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false };

beforeAll(async () => {
  await selectBackend("auto");
});

/** Dense, batch norm, tanh: smooth, so that differences of finite size say something about the derivative. */
function smoothSlice(inputs: number, outputs: number, seed: number): Slice {
  const input = tf.input({ shape: [inputs] });
  const kernelInitializer = tf.initializers.glorotUniform({ seed });
  let output = tf.layers.dense({ units: outputs, kernelInitializer }).apply(input);
  output = tf.layers.batchNormalization().apply(output);
  output = tf.layers.activation({ activation: "tanh" }).apply(output);
  return createSlice(tf.model({ inputs: input, outputs: output as tf.SymbolicTensor }), SGD);
}

describe("createSlice", () => {
  it("update gives the gradient through a cut: chained, it equals central differences of the composed loss", () => {
    const first = smoothSlice(4, 6, 1);
    const second = smoothSlice(6, 3, 2);
    const x = normal([5, 4], 3);
    const weights = normal([5, 3], 4).dataSync();
    /** sum(weights * second(first(at))), summed in double precision. */
    const loss = (at: Float32Array): number =>
      tf.tidy(() => {
        const output = second.forward([first.forward([tf.tensor(at, [5, 4])], 1)], 1).dataSync();
        return [...output].reduce((sum, value, index) => sum + value * (weights[index] as number), 0);
      });
    const start = Float32Array.from(x.dataSync());
    // Rounding costs 2^-24 / step, truncation step^2: both near 1e-4 here, against gradients of size 1.
    const step = 1e-2;
    const expected = start.map((value, index) => {
      const above = Float32Array.from(start).fill(value + step, index, index + 1);
      const below = Float32Array.from(start).fill(value - step, index, index + 1);
      return (loss(above) - loss(below)) / (2 * step);
    });

    const options = { learningRate: 0.1, wantsInputGradient: true };
    const lower = first.record([x], 1);
    const upper = second.record([lower.output.clone()], 1);
    const outputGradient = tf.tensor(weights, [5, 3]);
    const atCut = second.update(upper, outputGradient, options) as tf.Tensor;
    const atInput = first.update(lower, atCut, options) as tf.Tensor;

    expect(relativeDifference(atInput.dataSync(), expected)).toBeLessThan(2e-3);
    tf.dispose([outputGradient, atCut, atInput]);
    first.dispose();
    second.dispose();
  });

  it("a network cut into slices gives the gradients of the whole by tf.grads", () => {
    const seed = 11;
    const whole = createBlockModel({ inputShape: [8, 8, 2], layers: [...CONV_LAYERS, ...HEAD_LAYERS], seed });
    const first = createSlice(createBlockModel({ inputShape: [8, 8, 2], layers: CONV_LAYERS, seed }), SGD);
    const second = createSlice(createBlockModel({ inputShape: [27], layers: HEAD_LAYERS, seed }), SGD);
    const x = normal([6, 8, 8, 2], 1);
    const outputGradient = normal([6, 5], 2);
    const expected = tf.grad((input: tf.Tensor) => whole.apply(input, { training: true }) as tf.Tensor)(
      x,
      outputGradient,
    );
    const { grads } = tf.variableGrads(
      () => (whole.apply(x, { training: true }) as tf.Tensor).mul(outputGradient).sum() as tf.Scalar,
    );

    const options = { learningRate: 1, wantsInputGradient: true };
    const lower = first.record([x.clone()], 1);
    const upper = second.record([lower.output.clone()], 1);
    const before = { ...first.snapshot().tensors, ...second.snapshot().tensors };
    const atCut = second.update(upper, outputGradient, options) as tf.Tensor;
    const actual = first.update(lower, atCut, options) as tf.Tensor;
    const after = { ...first.snapshot().tensors, ...second.snapshot().tensors };

    expect(relativeDifference(actual.dataSync(), expected.dataSync())).toBeLessThan(1e-5);
    for (const weight of whole.trainableWeights) {
      const name = `weights/${weight.originalName}`;
      // Plain sgd at rate 1: a weight moves by its gradient, the mean over the batch of 6.
      const moved = before[name]?.values.map(
        (value, index) => 6 * (value - (after[name]?.values[index] as number)),
      ) as Float32Array;
      const gradient = grads[(weight.read() as tf.Variable).name] as tf.Tensor;
      expect(relativeDifference(moved, gradient.dataSync()), name).toBeLessThan(1e-5);
    }
    tf.dispose([x, outputGradient, expected, atCut, actual]);
    tf.dispose(grads);
    whole.dispose();
    first.dispose();
    second.dispose();
  });

  it("record frees its inputs when they do not fit", () => {
    const slice = smoothSlice(4, 2, 1);
    const before = tf.memory().numTensors;
    expect(() => slice.record([normal([5, 3], 1)], 1)).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    slice.dispose();
  });

  it("forward and infer leave the version and numTensors alone", () => {
    const slice = smoothSlice(4, 2, 1);
    const x = normal([5, 4], 1);
    const before = tf.memory().numTensors;
    for (let round = 0; round < 5; round += 1) tf.dispose([slice.forward([x], 1), slice.infer([x])]);
    expect(slice.version).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
    slice.dispose();
  });
});

describe("createBlockModel", () => {
  it("draws the same weights wherever the network is cut, others for another seed", () => {
    const build = (seed: number): tf.LayersModel =>
      createBlockModel({ inputShape: [8, 8, 2], layers: [...CONV_LAYERS, ...HEAD_LAYERS], seed });
    const [whole, other] = [build(5), build(6)];
    const head = createBlockModel({ inputShape: [27], layers: HEAD_LAYERS, seed: 5 });
    const kernelOf = (model: tf.LayersModel): Float32Array =>
      model.getLayer("dense").getWeights()[0]?.dataSync() as Float32Array;
    expect(kernelOf(head)).toEqual(kernelOf(whole));
    expect(kernelOf(head)).not.toEqual(kernelOf(other));
    for (const model of [whole, other, head]) model.dispose();
  });

  it("kernels start uniform in +-1/sqrt(fan in)", () => {
    const model = createBlockModel({ inputShape: [400], layers: [{ name: "d", type: "dense", units: 500 }], seed: 1 });
    const kernel = model.getLayer("d").getWeights()[0]?.dataSync() as Float32Array;
    const largest = kernel.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const variance = kernel.reduce((sum, value) => sum + value * value, 0) / kernel.length;
    expect(largest).toBeLessThanOrEqual(1 / 20 + 1e-6);
    expect(variance).toBeCloseTo(1 / 400 / 3, 5); // of a uniform distribution: a^2 / 3
    model.dispose();
  });

  it("refuses layers that do not fit with KN_SHAPE", () => {
    expect(() =>
      createBlockModel({
        inputShape: [3, 3, 1],
        layers: [{ name: "c", type: "conv2d", filters: 1, kernelSize: 5 }],
        seed: 1,
      }),
    ).toThrow(expect.objectContaining({ code: "KN_SHAPE" }));
    expect(() => createBlockModel({ inputShape: [7], layers: CONV_LAYERS, seed: 1 })).toThrow(
      expect.objectContaining({ code: "KN_SHAPE" }),
    );
  });
});
