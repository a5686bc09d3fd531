import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import {
  type AuxiliaryHead,
  type AuxiliaryHeadOptions,
  createAuxiliaryHead,
} from "../../../../../src/compute/block/gradient-sources/auxiliary-head.ts";
import type { NamedTensorData } from "../../../../../src/compute/index.ts";
import { labelData, normal, normalData, relativeDifference } from "../../reference.ts";

const BATCH = 7;
const CLASSES = 5;

let batchLabels: tf.Tensor;

beforeAll(async () => {
  await selectBackend("auto");
  batchLabels = tf.tensor(labelData(BATCH, CLASSES).values, [BATCH], "int32");
});

function options(boundaryShape: readonly number[], changes: Partial<AuxiliaryHeadOptions> = {}): AuxiliaryHeadOptions {
  return {
    boundaryShape,
    classes: CLASSES,
    // Plain gradient descent at rate 1: a weight moves by minus its gradient.
    spec: { hidden: 6, optimizer: { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false } },
    seed: 4,
    learningRate: { peak: 1, schedule: "constant", totalSteps: 10 },
    ...changes,
  };
}

const WEIGHTS = ["hidden/kernel", "norm/gamma", "norm/beta", "logits/kernel", "logits/bias"] as const;

function weightOf(tensors: NamedTensorData, name: string): tf.Tensor {
  const saved = tensors[`auxiliary/weights/${name}`];
  if (saved === undefined) throw new RangeError(`no ${name} among ${Object.keys(tensors).join(", ")}`);
  return tf.tensor(saved.values, [...saved.shape]);
}

/** The head written with tf's operations: summed cross-entropy of [batch, ...boundary]. */
function summedLoss(output: tf.Tensor, weights: readonly tf.Tensor[]): tf.Tensor {
  const [kernel, gamma, beta, logitsKernel, bias] = weights as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const isSpatial = output.rank === 4;
  const hidden = isSpatial
    ? tf.conv2d(output as tf.Tensor4D, kernel as tf.Tensor4D, 1, "same")
    : tf.matMul(output as tf.Tensor2D, kernel as tf.Tensor2D);
  const { mean, variance } = tf.moments(hidden, isSpatial ? [0, 1, 2] : [0]);
  let features: tf.Tensor = hidden.sub(mean).div(variance.add(1e-3).sqrt()).mul(gamma).add(beta).relu(); // Keras's epsilon
  const [, height = 1, width = 1] = features.shape;
  if (isSpatial && height >= 2 && width >= 2) features = tf.avgPool(features as tf.Tensor4D, 2, 2, "valid");
  const logits = tf.matMul(features.reshape([BATCH, -1]), logitsKernel).add(bias);
  const target = tf.oneHot(batchLabels, CLASSES).toFloat();
  return tf.losses.softmaxCrossEntropy(target, logits, undefined, undefined, tf.Reduction.SUM);
}
function learn(head: AuxiliaryHead, step: number, output: tf.Tensor): Float32Array {
  const gradient = head.learn(step, output, batchLabels);
  expect(gradient.shape).toEqual(output.shape);
  const values = Float32Array.from(gradient.dataSync());
  gradient.dispose();
  return values;
}

describe("createAuxiliaryHead", () => {
  it.each([[[9]], [[4, 4, 3]], [[5, 3, 2]], [[1, 6, 2]], [[1, 1, 4]]])(
    "its gradient by the output and its own update are those of tf.grads (boundary [%s])",
    (boundaryShape) => {
      const head = createAuxiliaryHead(options(boundaryShape));
      for (const step of [1, 2]) {
        const output = normal([BATCH, ...boundaryShape], step);
        const before = head.snapshot();
        const weights = WEIGHTS.map((name) => weightOf(before, name));
        const [byOutput, ...byWeights] = tf.grads((at: tf.Tensor, ...given: tf.Tensor[]) => summedLoss(at, given))([
          output,
          ...weights,
        ]);
        const gradient = learn(head, step, output);
        expect(relativeDifference(gradient, (byOutput as tf.Tensor).dataSync())).toBeLessThan(1e-4);
        const after = head.snapshot();
        WEIGHTS.forEach((name, index) => {
          const next = weightOf(after, name);
          const moved = tf.tidy(() => (weights[index] as tf.Tensor).sub(next).mul(BATCH).dataSync());
          expect(relativeDifference(moved, (byWeights[index] as tf.Tensor).dataSync()), name).toBeLessThan(1e-4);
          next.dispose();
        });
        tf.dispose([output, ...weights, byOutput as tf.Tensor, ...byWeights]);
      }
      expect(head.version).toBe(2);
      head.dispose();
    },
  );

  it("has the layers it promises", () => {
    const shapesOf = (boundaryShape: readonly number[]): Record<string, readonly number[]> => {
      const head = createAuxiliaryHead(options(boundaryShape));
      const tensors = head.snapshot();
      head.dispose();
      return Object.fromEntries(WEIGHTS.map((name) => [name, tensors[`auxiliary/weights/${name}`]?.shape ?? []]));
    };
    expect(shapesOf([9])).toMatchObject({ "hidden/kernel": [9, 6], "logits/kernel": [6, 5] });
    expect(shapesOf([8, 6, 3])).toMatchObject({ "hidden/kernel": [3, 3, 3, 6], "logits/kernel": [4 * 3 * 6, 5] });
    expect(shapesOf([1, 6, 3])).toMatchObject({ "logits/kernel": [6 * 6, 5] });
  });

  it("equal seeds give equal heads, another seed another one", () => {
    const [one, same, other] = [4, 4, 5].map((seed) => {
      const head = createAuxiliaryHead(options([9], { seed }));
      const tensors = head.snapshot();
      head.dispose();
      return tensors;
    });
    expect(same).toEqual(one);
    expect(other?.["auxiliary/weights/hidden/kernel"]).not.toEqual(one?.["auxiliary/weights/hidden/kernel"]);
  });

  it("its rate follows the step and not the count of its updates", () => {
    const schedule = { peak: 1, schedule: "cosine", totalSteps: 100 } as const;
    const output = normal([BATCH, 9], 1);
    const movedAt = (step: number): Float32Array => {
      const head = createAuxiliaryHead(options([9], { learningRate: schedule }));
      const before = head.snapshot()["auxiliary/weights/logits/bias"]?.values as Float32Array;
      learn(head, step, output);
      const after = head.snapshot()["auxiliary/weights/logits/bias"]?.values as Float32Array;
      head.dispose();
      return before.map((value, index) => value - (after[index] as number));
    };
    const first = movedAt(1);
    expect(
      relativeDifference(
        movedAt(51),
        first.map((value) => value / 2),
      ),
    ).toBeLessThan(1e-4);
    output.dispose();
  });

  it("learns: its loss on one batch falls", () => {
    const head = createAuxiliaryHead(
      options([9], {
        spec: { hidden: 16, optimizer: { kind: "adam", learningRate: 1e-2 } },
        learningRate: { peak: 1e-2, schedule: "constant", totalSteps: 100 },
      }),
    );
    const output = normal([BATCH, 9], 1);
    const norm = (values: Float32Array): number => Math.hypot(...values);
    const first = norm(learn(head, 1, output));
    for (let step = 2; step <= 40; step += 1) learn(head, step, output);
    expect(norm(learn(head, 41, output))).toBeLessThan(first / 2);
    output.dispose();
    head.dispose();
  });

  it("snapshot and restore give an equal next update, Adam's moments and count included", () => {
    const adam = {
      spec: { hidden: 6, optimizer: { kind: "adam", learningRate: 1e-2 } },
      learningRate: { peak: 1e-2, totalSteps: 10 },
    } as const;
    const original = createAuxiliaryHead(options([9], adam));
    const output = normal([BATCH, 9], 1);
    for (const step of [1, 2, 3]) learn(original, step, output);
    const snapshot = structuredClone(original.snapshot());
    expect(snapshot["auxiliary/version"]?.values).toEqual(Int32Array.of(3));
    const restored = createAuxiliaryHead(options([9], { ...adam, seed: 99 }));
    learn(restored, 1, output);
    restored.restore({ ...snapshot, "weights/other": normalData([2], 1) });
    expect(restored.snapshot()).toEqual(snapshot);
    expect(learn(restored, 4, output)).toEqual(learn(original, 4, output));
    expect(restored.snapshot()).toEqual(original.snapshot());
    output.dispose();
    original.dispose();
    restored.dispose();
  });

  it.each(["auxiliary/version", "auxiliary/weights/logits/bias"])("restore without %s is KN_CHECKPOINT", (name) => {
    const head = createAuxiliaryHead(options([9]));
    const rest = Object.fromEntries(Object.entries(head.snapshot()).filter(([key]) => key !== name));
    expect(() => {
      head.restore(rest);
    }).toThrow(expect.objectContaining({ code: "KN_CHECKPOINT" }));
    head.dispose();
  });

  it("an output that is not finite is KN_NUMERIC, no update, and leaks nothing", () => {
    const head = createAuxiliaryHead(options([9]));
    const bad = tf.fill([BATCH, 9], Number.NaN);
    const good = normal([BATCH, 9], 1);
    learn(head, 1, good);
    const before = tf.memory().numTensors;
    expect(() => head.learn(2, bad, batchLabels)).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
    expect(head.version).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([bad, good]);
    head.dispose();
  });

  it("keeps numTensors flat, and dispose frees everything", () => {
    const before = tf.memory().numTensors;
    const head = createAuxiliaryHead(options([4, 4, 3]));
    const counts = Array.from({ length: 10 }, (_, index) => {
      const output = normal([BATCH, 4, 4, 3], index);
      learn(head, index + 1, output);
      output.dispose();
      return tf.memory().numTensors;
    });
    expect(new Set(counts).size).toBe(1);
    head.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
