import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { softmaxCrossEntropy } from "../../../../../src/compute/nn/losses/softmax-cross-entropy.ts";
import { normal, relativeDifference } from "../../reference.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

/** tfjs's loss, summed over the batch. */
function reference(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const target = tf.oneHot(labels, logits.shape[1] as number).toFloat();
  return tf.losses.softmaxCrossEntropy(target, logits, undefined, undefined, tf.Reduction.SUM);
}

describe("softmaxCrossEntropy", () => {
  it.each([0.1, 1, 30])("equals tf.losses.softmaxCrossEntropy and its tf.grad (logits of size %f)", (scale) => {
    const logits = tf.tidy(() => normal([16, 10], 5).mul(scale));
    const labels = tf.tensor1d(
      Array.from({ length: 16 }, (_, row) => row % 10),
      "int32",
    );
    const { gradient, lossSum } = softmaxCrossEntropy(logits, labels);
    const expected = reference(logits, labels);
    const expectedGradient = tf.grad((x: tf.Tensor) => reference(x, labels))(logits);
    expect(relativeDifference([lossSum], expected.dataSync())).toBeLessThan(1e-6);
    // exp of a log-probability of size 100 keeps 100 x 2^-24 of relative error.
    expect(relativeDifference(gradient.dataSync(), expectedGradient.dataSync())).toBeLessThan(1e-5);
    tf.dispose([logits, labels, gradient, expected, expectedGradient]);
  });

  it("stays finite where exp would overflow", () => {
    const logits = tf.tensor2d([[1e4, 0], [0, 1e4]]); // biome-ignore format: a matrix
    const labels = tf.tensor1d([0, 0], "int32");
    const { gradient, lossSum, correct } = softmaxCrossEntropy(logits, labels);
    expect(lossSum).toBe(1e4);
    expect([...gradient.dataSync()]).toEqual([0, 0, -1, 1]);
    expect(correct).toBe(1);
    tf.dispose([logits, labels, gradient]);
  });

  it("unlabelled samples contribute nothing, and the gradients of the others stay as they are: no share is made up for", () => {
    const logits = tf.tensor2d([[3, 1, 2], [1, 2, 3], [1, 3, 2], [3, 2, 1]]); // biome-ignore format: a matrix
    const all = softmaxCrossEntropy(logits, tf.tensor1d([0, 2, 0, 1], "int32"));
    const half = softmaxCrossEntropy(logits, tf.tensor1d([0, -1, 0, -1], "int32"));
    const [rows, some] = [all.gradient.arraySync() as number[][], half.gradient.arraySync() as number[][]];
    expect([some[0], some[2]]).toEqual([rows[0], rows[2]]);
    expect([...(some[1] ?? []), ...(some[3] ?? [])].map(Math.abs)).toEqual(Array(6).fill(0));
    expect(half.correct).toBe(1);
    tf.dispose([logits, all.gradient, half.gradient]);
  });

  it("refuses logits that are not finite with KN_NUMERIC and leaks nothing", () => {
    const logits = tf.tensor2d([[Number.NaN, 0]]);
    const labels = tf.tensor1d([1], "int32");
    const before = tf.memory().numTensors;
    expect(() => softmaxCrossEntropy(logits, labels)).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([logits, labels]);
  });

  it("counts the samples whose highest logit is the label's, and leaks nothing", () => {
    const logits = tf.tensor2d([[3, 1, 2], [1, 2, 3], [1, 3, 2], [3, 2, 1]]); // biome-ignore format: a matrix
    const labels = tf.tensor1d([0, 2, 0, 0], "int32");
    const before = tf.memory().numTensors;
    const { gradient, correct } = softmaxCrossEntropy(logits, labels);
    gradient.dispose();
    expect(correct).toBe(3);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([logits, labels]);
  });
});
