/** A section's step against stock tfjs: its layers, its gradients and its optimiser, with the loss written down again here. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import {
  createSectionUnit,
  type SectionObjective,
  type SectionUnit,
} from "../../../../src/compute/distillation/section-unit.ts";
import type { LayerSpec } from "../../../../src/run-spec/index.ts";
import type { TensorData } from "../../../../src/compute/index.ts";
import { labelData, normalData, relativeDifference } from "../reference.ts";

const [BATCH, INPUT, CLASSES] = [12, 6, 5];
const FEATURES: LayerSpec[] = [
  { name: "d", type: "dense", units: 4 },
  { name: "r", type: "re_lu" },
];
const LOGITS: LayerSpec[] = [
  { name: "d", type: "dense", units: 8 },
  { name: "r", type: "re_lu" },
  { name: "out", type: "dense", units: CLASSES },
];
const RELATIVE: SectionObjective = {
  kind: "features",
  hint: { kind: "feature-mse", normalisation: "relative" },
  localCrossEntropy: 0,
};
const TAUGHT: SectionObjective = {
  kind: "logits",
  crossEntropy: 0.5,
  teacher: { kind: "plain", temperature: 2, weight: 3, nonTarget: 8 },
};

beforeAll(async () => {
  await selectBackend("auto");
});

function unitOf(layers: readonly LayerSpec[], objective: SectionObjective, averageDecay = 0): SectionUnit {
  return createSectionUnit({
    inputShape: [INPUT],
    layers,
    seed: 5,
    optimizer: { kind: "sgd", learningRate: 0.5, momentum: 0.9, nesterov: false },
    learningRate: { peak: 0.5, totalSteps: 1000, schedule: "constant" },
    classes: CLASSES,
    objective,
    averageDecay,
  });
}

/** Two or three dense layers with their weights as variables. */
function plainNetwork(unit: SectionUnit, names: readonly string[]) {
  const { tensors } = unit.snapshot();
  const read = (key: string): tf.Variable => {
    const { values, shape } = tensors[`weights/${key}`] as TensorData;
    return tf.variable(tf.tensor(values, [...shape]));
  };
  const layers = names.map((name) => ({ kernel: read(`${name}/kernel`), bias: read(`${name}/bias`) }));
  const isHidden = (index: number): boolean => layers.length === 1 || index < layers.length - 1;
  return {
    forward: (x: tf.Tensor): tf.Tensor =>
      layers.reduce((value, { kernel, bias }, index) => {
        const sum = tf.add(tf.matMul(value as tf.Tensor2D, kernel as tf.Tensor2D), bias);
        return isHidden(index) ? tf.relu(sum) : sum;
      }, x),
    kernels: layers.map(({ kernel }) => kernel),
  };
}

const tensorOf = ({ values, shape }: TensorData): tf.Tensor => tf.tensor(values, [...shape]);

describe("createSectionUnit", () => {
  const input = normalData([BATCH, INPUT], 1);
  const labels = labelData(BATCH, CLASSES);

  it("between boundaries three steps equal stock tfjs on the relative feature error", () => {
    const unit = unitOf(FEATURES, RELATIVE);
    const plain = plainNetwork(unit, ["d"]);
    const optimizer = tf.train.momentum(0.5, 0.9);
    const hint = normalData([BATCH, 4], 2);
    for (let step = 1; step <= 3; step += 1) {
      const { loss } = unit.train({ step, input, labels, hint, ownShare: 0 });
      const expected = optimizer.minimize(() => {
        const [x, t] = [tensorOf(input), tensorOf(hint)];
        return plain.forward(x).sub(t).square().sum().div(t.square().sum()) as tf.Scalar;
      }, true);
      expect(loss).toBeCloseTo(expected?.dataSync()[0] ?? NaN, 5);
    }
    const { values } = unit.snapshot().tensors["weights/d/kernel"] as TensorData;
    expect(relativeDifference(values as Float32Array, plain.kernels[0]?.dataSync() as Float32Array)).toBeLessThan(1e-5);
    unit.dispose();
  });

  it("at the logits two steps equal stock tfjs on cross entropy and softened divergence, unlabelled samples left out", () => {
    const unit = unitOf(LOGITS, TAUGHT);
    const plain = plainNetwork(unit, ["d", "out"]);
    const optimizer = tf.train.momentum(0.5, 0.9);
    const hint = normalData([BATCH, CLASSES], 4);
    const some = { ...labels, values: labels.values.map((label, row) => (row < 4 ? -1 : label)) };
    for (let step = 1; step <= 2; step += 1) {
      const { loss } = unit.train({ step, input, labels: some, hint, ownShare: 0 });
      const expected = optimizer.minimize(() => {
        const logits = plain.forward(tensorOf(input)) as tf.Tensor2D;
        const known = tf.tensor1d(Array.from(some.values, (label) => (label < 0 ? 0 : 1)));
        const oneHot = tf.oneHot(
          tf.tensor1d(
            Array.from(some.values, (label) => Math.max(0, label)),
            "int32",
          ),
          CLASSES,
        );
        const task = tf.logSoftmax(logits).mul(oneHot).sum(1).neg().mul(known).sum();
        const [soft, logSoft, logOwn] = [
          tf.softmax(tensorOf(hint).div(2) as tf.Tensor2D),
          tf.logSoftmax(tensorOf(hint).div(2) as tf.Tensor2D),
          tf.logSoftmax(logits.div(2) as tf.Tensor2D),
        ];
        const divergence = soft.mul(logSoft.sub(logOwn)).sum().mul(4);
        return task.mul(0.5).add(divergence.mul(3)).div(BATCH) as tf.Scalar;
      }, true);
      expect(loss).toBeCloseTo(expected?.dataSync()[0] ?? NaN, 4);
    }
    const { values } = unit.snapshot().tensors["weights/out/kernel"] as TensorData;
    expect(relativeDifference(values as Float32Array, plain.kernels[1]?.dataSync() as Float32Array)).toBeLessThan(1e-5);
    unit.dispose();
  });

  it("counts at the logits: right, agreeing with the teacher, teacher right", () => {
    const unit = unitOf(LOGITS, TAUGHT);
    const says = (classes: Int32Array): TensorData => ({
      dtype: "f32",
      shape: [BATCH, CLASSES],
      values: Float32Array.from({ length: BATCH * CLASSES }, (_, index) =>
        classes[Math.floor(index / CLASSES)] === index % CLASSES ? 1 : 0,
      ),
    });
    const own = Int32Array.from(
      { length: BATCH },
      (_, row) =>
        tf.tidy(() => plainNetwork(unit, ["d", "out"]).forward(tensorOf(input)).argMax(1).dataSync()[row]) ?? 0,
    );
    const rightOwn = own.filter((label, row) => label === labels.values[row]).length;
    expect(unit.evaluate(input, labels, says(own))).toMatchObject({
      correct: rightOwn,
      agreeing: BATCH,
      teacherCorrect: rightOwn,
    });
    const rightTeacher = unit.evaluate(input, labels, says(labels.values));
    expect(rightTeacher).toMatchObject({ correct: rightOwn, agreeing: rightOwn, teacherCorrect: BATCH });
    unit.dispose();
  });

  it("keeps the mean of its weights: w' <- d w' + (1 - d) w, with the shorter memory of the first updates", () => {
    const decay = 0.6;
    const unit = unitOf(FEATURES, RELATIVE, decay);
    const hint = normalData([BATCH, 4], 2);
    let expected: Float64Array | undefined;
    for (let n = 1; n <= 12; n += 1) {
      unit.train({ step: n, input, labels, hint, ownShare: 0 });
      const { values } = unit.snapshot().tensors["weights/d/kernel"] as TensorData;
      const keep = Math.min(decay, (1 + n) / (10 + n));
      expected = Float64Array.from(values, (value, index) =>
        expected === undefined ? value : keep * (expected[index] ?? NaN) + (1 - keep) * value,
      );
    }
    const { tensors } = unit.snapshot();
    const average = tensors["average/d/kernel"] as TensorData & { values: Float32Array };
    expect(relativeDifference(average.values, Float32Array.from(expected ?? []))).toBeLessThan(1e-5);

    // It measures with the mean, and learns on with its own weights.
    const { output } = unit.evaluate(input, labels, hint);
    const bias = (tensors["average/d/bias"] as TensorData).values;
    const byHand = tf.tidy(() =>
      tf
        .relu(tf.matMul(tensorOf(input) as tf.Tensor2D, tensorOf(average) as tf.Tensor2D).add(tf.tensor(bias)))
        .dataSync(),
    );
    expect(relativeDifference(output?.values as Float32Array, byHand as Float32Array)).toBeLessThan(1e-5);
    expect(unit.snapshot().tensors["weights/d/kernel"]).toEqual(tensors["weights/d/kernel"]);

    const again = unitOf(FEATURES, RELATIVE, decay);
    again.restore(unit.snapshot());
    expect(again.snapshot()).toEqual(unit.snapshot());
    unit.dispose();
    again.dispose();
  });

  it("recalibrates batch norm to the mean over the batches of their own mean and variance", () => {
    const layers: LayerSpec[] = [
      { name: "n", type: "batch_normalization", momentum: 0.9 },
      { name: "d", type: "dense", units: 4 },
    ];
    const unit = unitOf(layers, RELATIVE);
    const batches = [1, 2, 3].map((seed) => normalData([BATCH, INPUT], 20 + seed));
    batches.forEach((batch, index) => {
      unit.recalibrate(index + 1, batch);
    });
    const column = (batch: TensorData, feature: number): number[] =>
      Array.from({ length: BATCH }, (_, row) => batch.values[row * INPUT + feature] as number);
    const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const means = Array.from({ length: INPUT }, (_, feature) => meanOf(batches.map((b) => meanOf(column(b, feature)))));
    const { tensors } = unit.snapshot();
    const moving = tensors["weights/n/moving_mean"] as TensorData & { values: Float32Array };
    expect(relativeDifference(moving.values, Float32Array.from(means))).toBeLessThan(1e-5);
    // Batch norm's variance may be the biased or the unbiased one (TensorFlow's fused kernel): n or n - 1 below.
    const spread = (values: readonly number[]): number => meanOf(values.map((value) => (value - meanOf(values)) ** 2));
    const biased = Array.from({ length: INPUT }, (_, feature) =>
      meanOf(batches.map((batch) => spread(column(batch, feature)))),
    );
    const variance = Array.from((tensors["weights/n/moving_variance"] as TensorData).values);
    const ratios = variance.map((value, feature) => value / (biased[feature] ?? NaN));
    for (const ratio of ratios)
      expect([1, BATCH / (BATCH - 1)].some((wanted) => Math.abs(ratio - wanted) < 1e-4)).toBe(true);
    unit.dispose();
  });

  it("refuses to learn between boundaries without a hint", () => {
    const unit = unitOf(FEATURES, RELATIVE);
    expect(() => unit.train({ step: 1, input, labels, ownShare: 0 })).toThrow(TypeError);
    unit.dispose();
  });
});
