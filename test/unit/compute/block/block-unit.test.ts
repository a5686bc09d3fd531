import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { createGradientModel, type GradientModel } from "../../../../src/compute/block/gradient-sources/index.ts";
import type { TensorData } from "../../../../src/compute/index.ts";
import { createBlockModel } from "../../../../src/compute/nn/block-model.ts";
import { type BlockUnit, type BlockUnitOptions, createBlockUnit } from "../../../../src/compute/block/block-unit.ts";
import { BLOCK_DEFAULTS, CONV_LAYERS, HEAD_LAYERS, labelData, normalData, relativeDifference } from "../reference.ts";

const BATCH = 6;
const labels = labelData(BATCH, 5);
const ignore = (): void => undefined;

beforeAll(async () => {
  await selectBackend("auto");
});

/** The convolutional block, waiting for its gradients. */
function lockedOptions(changes: Partial<BlockUnitOptions> = {}): BlockUnitOptions {
  return {
    inputShape: [8, 8, 2],
    layers: CONV_LAYERS,
    seed: 3,
    optimizer: { kind: "adam", learningRate: 1e-2 },
    learningRate: { peak: 1e-2, schedule: "constant", totalSteps: 100 },
    source: "locked",
    wantsInputGradient: false,
    ...BLOCK_DEFAULTS,
    ...changes,
  };
}

/** The last block: five logits. */
function lastOptions(changes: Partial<BlockUnitOptions> = {}): BlockUnitOptions {
  return lockedOptions({
    inputShape: [27],
    layers: HEAD_LAYERS,
    source: "task-loss",
    wantsInputGradient: true,
    ...changes,
  });
}

const sample = (seed: number): TensorData => normalData([BATCH, 8, 8, 2], seed);
const gradientAt = (seed: number): TensorData => normalData([BATCH, 27], seed);

/** Trains on `sample(step)`; the activation that was published. */
function activationOf(unit: BlockUnit, step: number, input: TensorData = sample(step)): TensorData {
  let published: TensorData | undefined;
  unit.train({ step, input, labels }, (activation) => {
    published = activation;
  });
  if (published === undefined) throw new TypeError("nothing was published");
  return published;
}

function gradientModel(): GradientModel {
  return createGradientModel({
    boundaryShape: [27],
    classes: 5,
    spec: { hidden: 8, optimizer: { kind: "adam", learningRate: 1e-3 }, learnEvery: 1 },
    seed: 1,
    retain: 4,
  });
}

describe("createBlockUnit", () => {
  it("locked publishes its activation, waits, and updates when the gradient comes", () => {
    const unit = createBlockUnit(lockedOptions({ wantsInputGradient: true }));
    const before = unit.snapshot().tensors;
    expect(before).toHaveProperty("weights/conv/kernel");
    const versions: number[] = [];
    const trained = unit.train({ step: 1, input: sample(1), labels }, (activation, version) => {
      expect(activation.shape).toEqual([BATCH, 27]);
      versions.push(version);
    });
    expect(trained).toEqual({ isApplied: false, version: 0, retained: 1, pending: 1, forgotten: 0 });
    expect(versions).toEqual([0]);
    expect(unit.snapshot().tensors["weights/conv/kernel"]).toEqual(before["weights/conv/kernel"]);

    const received = unit.receive(1, gradientAt(2), "true");
    expect(received).toMatchObject({
      isApplied: true,
      version: 1,
      origin: "true",
      age: 0,
      retained: 0,
      pending: 0,
      forgotten: 0,
    });
    expect(received.inputGradient?.shape).toEqual([BATCH, 8, 8, 2]);
    unit.dispose();
  });

  it("locked ignores a gradient for a step that it does not keep, and a second one for the same step", () => {
    const unit = createBlockUnit(lockedOptions());
    activationOf(unit, 1);
    expect(unit.receive(9, gradientAt(2), "true")).toMatchObject({ isApplied: false, version: 0 });
    expect(unit.receive(1, gradientAt(2), "true")).toMatchObject({ isApplied: true, version: 1 });
    expect(unit.receive(1, gradientAt(2), "true")).toMatchObject({ isApplied: false, version: 1 });
    unit.dispose();
  });

  it("task-loss updates at once; its input gradient is that of the summed loss, per sample, by tf.grads", () => {
    const options = lastOptions();
    const model = createBlockModel(options);
    const input = normalData([BATCH, 27], 4);
    const x = tf.tensor(input.values, [BATCH, 27]);
    const target = tf.tidy(() => tf.oneHot(tf.tensor(labels.values, [BATCH], "int32"), 5).toFloat());
    const lossOf = (at: tf.Tensor): tf.Scalar =>
      tf.losses.softmaxCrossEntropy(
        target,
        model.apply(at, { training: true }) as tf.Tensor,
        undefined,
        undefined,
        tf.Reduction.SUM,
      );
    const expectedLoss = lossOf(x).dataSync()[0] as number;
    const expected = tf
      .grad(lossOf as (at: tf.Tensor) => tf.Tensor)(x)
      .dataSync();

    const unit = createBlockUnit(options);
    const outcome = unit.train({ step: 1, input, labels }, () => {
      throw new Error("the last block publishes nothing");
    });
    expect(outcome).toMatchObject({ isApplied: true, version: 1, origin: "true" });
    expect(outcome.loss).toBeCloseTo(expectedLoss / BATCH, 5);
    expect(relativeDifference(outcome.inputGradient?.values ?? [], expected)).toBeLessThan(1e-5);
    unit.dispose();
    model.dispose();
  });

  it("synthetic updates at once by the gradient model's prediction; what arrives later changes nothing", () => {
    const model = gradientModel();
    const unit = createBlockUnit(lockedOptions({ source: "synthetic", wantsInputGradient: true }), () => model);
    const outcome = unit.train({ step: 1, input: sample(1), labels }, ignore);
    expect(outcome).toMatchObject({ isApplied: true, version: 1, origin: "synthetic" });
    // An untrained M predicts zero.
    expect(outcome.inputGradient?.values.every((value) => value === 0)).toBe(true);
    const before = unit.snapshot();
    expect(unit.receive(1, gradientAt(2), "true")).toMatchObject({ isApplied: false, version: 1 });
    expect(unit.snapshot()).toEqual(before);
    unit.dispose();
    model.dispose();
  });

  it("synthetic without a gradient model is refused with KN_INVARIANT", () => {
    expect(() => createBlockUnit(lockedOptions({ source: "synthetic" }))).toThrow(
      expect.objectContaining({ code: "KN_INVARIANT" }),
    );
  });

  it("synthetic applies what M predicts: the update equals that of a locked block given the same gradient", () => {
    const model = gradientModel();
    for (let step = 1; step <= 3; step += 1) {
      const [activation, gradient] = [sample(step), gradientAt(step)].map((data) =>
        tf.tensor(data.values, [...data.shape]),
      );
      const flat = tf.tidy(
        () => (activation as tf.Tensor).reshape([BATCH, -1]).slice([0, 0], [BATCH, 27]) as tf.Tensor,
      );
      const given = tf.tensor(labels.values, [BATCH], "int32");
      model.predict(step, flat, given).dispose();
      model.learn(step, gradient as tf.Tensor, 1e-2);
      tf.dispose([activation as tf.Tensor, gradient as tf.Tensor, flat, given]);
    }
    let predicted: TensorData | undefined;
    const listening: GradientModel = {
      ...model,
      predict(step, activation, given) {
        const prediction = model.predict(step, activation, given);
        predicted = { dtype: "f32", shape: prediction.shape, values: Float32Array.from(prediction.dataSync()) };
        return prediction;
      },
    };
    const synthetic = createBlockUnit(lockedOptions({ source: "synthetic" }), () => listening);
    const locked = createBlockUnit(lockedOptions());
    synthetic.train({ step: 9, input: sample(9), labels }, ignore);
    locked.train({ step: 9, input: sample(9), labels }, ignore);
    expect(predicted?.values.some((value) => value !== 0)).toBe(true);
    locked.receive(9, predicted as TensorData, "true");
    expect(synthetic.snapshot()).toEqual(locked.snapshot());
    synthetic.dispose();
    locked.dispose();
    model.dispose();
  });

  it("keeps at most `retain` recordings: the oldest is forgotten, counted, and its gradient comes too late", () => {
    const unit = createBlockUnit(lockedOptions({ retain: { batches: 2, bytes: 2 ** 30 } }));
    const counts = [1, 2, 3, 4].map((step) => unit.train({ step, input: sample(step), labels }, ignore).forgotten);
    expect(counts).toEqual([0, 0, 1, 2]);
    expect(unit.receive(1, gradientAt(1), "true").isApplied).toBe(false);
    expect(unit.receive(3, gradientAt(3), "true").isApplied).toBe(true);
    expect(unit.receive(4, gradientAt(4), "true").isApplied).toBe(true);
    unit.dispose();
  });

  it("keeps numTensors flat while steps are trained, received, given up, repeated and evaluated", () => {
    const model = gradientModel();
    const units = [
      createBlockUnit(lockedOptions({ retain: { batches: 2, bytes: 2 ** 30 }, wantsInputGradient: true })),
      createBlockUnit(lockedOptions({ source: "synthetic" }), () => model),
    ];
    const last = createBlockUnit(lastOptions());
    const round = (step: number): number => {
      for (const unit of units) {
        activationOf(unit, step);
        activationOf(unit, step); // a repeat takes the place of the first
        if (step % 3 === 0) unit.receive(step, gradientAt(step), "true");
        unit.evaluate(sample(step), labels);
      }
      last.train({ step, input: gradientAt(step), labels }, ignore);
      last.evaluate(gradientAt(step), labels);
      return tf.memory().numTensors;
    };
    const steps = Array.from({ length: 30 }, (_, index) => round(index + 1));
    expect(steps[29]).toBe(steps[8]); // both end with a gradient that was received
    for (const unit of [...units, last, model]) unit.dispose();
  });

  it("dispose frees everything, recordings too", () => {
    const before = tf.memory().numTensors;
    const unit = createBlockUnit(lockedOptions());
    activationOf(unit, 1);
    unit.receive(1, gradientAt(1), "true");
    activationOf(unit, 2);
    unit.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("a gradient of another shape is KN_SHAPE and leaks nothing", () => {
    const unit = createBlockUnit(lockedOptions());
    const before = tf.memory().numTensors;
    activationOf(unit, 1);
    expect(() => unit.receive(1, normalData([BATCH, 26], 1), "true")).toThrow(
      expect.objectContaining({ code: "KN_SHAPE" }),
    );
    expect(tf.memory().numTensors).toBe(before);
    unit.dispose();
  });

  it.each(["locked", "task-loss"] as const)(
    "input that is not finite is KN_NUMERIC, changes no weight and leaks nothing (%s)",
    (source) => {
      const unit = createBlockUnit(lastOptions({ source, wantsInputGradient: false }));
      const before = tf.memory().numTensors;
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const input = normalData([BATCH, 27], 1);
        input.values[3] = bad;
        const refused = expect.objectContaining({ code: "KN_NUMERIC" });
        expect(() => unit.train({ step: 1, input, labels }, ignore)).toThrow(refused);
        expect(() => unit.evaluate(input, labels)).toThrow(refused);
      }
      expect(tf.memory().numTensors).toBe(before);
      const next = unit.train({ step: 1, input: gradientAt(1), labels }, ignore);
      expect(next.version).toBe(source === "locked" ? 0 : 1);
      unit.dispose();
    },
  );

  it.each([true, false])(
    "a gradient that is not finite is KN_NUMERIC, changes nothing and leaks nothing (input gradient wanted: %s)",
    (wantsInputGradient) => {
      const unit = createBlockUnit(lockedOptions({ wantsInputGradient }));
      activationOf(unit, 1);
      unit.receive(1, gradientAt(1), "true");
      const before = tf.memory().numTensors;
      activationOf(unit, 2);
      const gradient = normalData([BATCH, 27], 2);
      gradient.values[5] = Number.NaN;
      const snapshot = unit.snapshot();
      expect(() => unit.receive(2, gradient, "true")).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
      expect(unit.snapshot()).toEqual(snapshot);
      expect(tf.memory().numTensors).toBe(before);
      unit.dispose();
    },
  );

  it.each([true, false])(
    "a block without weights passes gradients on (input gradient wanted: %s)",
    (wantsInputGradient) => {
      const layers = [{ name: "relu", type: "re_lu" }] as const;
      const unit = createBlockUnit(lockedOptions({ inputShape: [27], layers, wantsInputGradient }));
      const input = normalData([BATCH, 27], 1);
      const gradient = gradientAt(2);
      activationOf(unit, 1, input);
      const { isApplied, version, inputGradient } = unit.receive(1, gradient, "true");
      expect({ isApplied, version }).toEqual({ isApplied: true, version: 1 });
      expect(inputGradient !== undefined).toBe(wantsInputGradient);
      const expected = input.values.map((value, index) => (value > 0 ? (gradient.values[index] as number) : 0));
      if (inputGradient !== undefined) expect(relativeDifference(inputGradient.values, expected)).toBe(0);
      unit.dispose();
    },
  );

  it("input of another shape frees everything", () => {
    const unit = createBlockUnit(lockedOptions());
    const before = tf.memory().numTensors;
    expect(() => unit.train({ step: 1, input: normalData([BATCH, 8, 8, 3], 1), labels }, ignore)).toThrow();
    expect(() => unit.evaluate(normalData([BATCH, 8, 8, 3], 1), labels)).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    unit.dispose();
  });

  it("snapshot and restore give equal outputs and an equal next update", () => {
    const original = createBlockUnit(lockedOptions());
    for (let step = 1; step <= 3; step += 1) {
      activationOf(original, step);
      original.receive(step, gradientAt(step), "true");
    }
    const snapshot = structuredClone(original.snapshot());
    const restored = createBlockUnit(lockedOptions({ seed: 99 }));
    restored.restore(snapshot);
    expect(restored.snapshot()).toEqual(snapshot);
    expect(restored.evaluate(sample(8), labels)).toEqual(original.evaluate(sample(8), labels));
    for (const unit of [original, restored]) {
      activationOf(unit, 4);
      expect(unit.receive(4, gradientAt(4), "true").version).toBe(4);
    }
    expect(restored.snapshot()).toEqual(original.snapshot());
    original.dispose();
    restored.dispose();
  });

  it("restore forgets what was under way and leaks nothing", () => {
    const unit = createBlockUnit(lockedOptions());
    activationOf(unit, 1);
    unit.receive(1, gradientAt(1), "true");
    const snapshot = unit.snapshot();
    const before = tf.memory().numTensors;
    activationOf(unit, 2);
    unit.restore(snapshot);
    expect(unit.receive(2, gradientAt(2), "true").isApplied).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
    unit.dispose();
  });

  it.each(["weights/conv/kernel", "optimizer/m/0"])(
    "restore without %s, or with one of another shape, is KN_CHECKPOINT",
    (name) => {
      const unit = createBlockUnit(lockedOptions());
      activationOf(unit, 1);
      unit.receive(1, gradientAt(1), "true");
      const { version, tensors } = unit.snapshot();
      const before = tf.memory().numTensors;
      expect(tensors).toHaveProperty(name);
      const others = Object.fromEntries(Object.entries(tensors).filter(([key]) => key !== name));
      const wrong = { ...tensors, [name]: normalData([2, 2], 1) };
      for (const damaged of [others, wrong]) {
        expect(() => {
          unit.restore({ version, tensors: damaged });
        }).toThrow(expect.objectContaining({ code: "KN_CHECKPOINT" }));
      }
      expect(tf.memory().numTensors).toBe(before);
      unit.dispose();
    },
  );

  it("a dropout's mask is a function of seed and step: the same step again, the same mask; another step, another one", () => {
    const options = (seed: number): BlockUnitOptions =>
      lockedOptions({ inputShape: [400], layers: [{ name: "drop", type: "dropout", rate: 0.25 }], seed });
    const input: TensorData = { dtype: "f32", shape: [BATCH, 400], values: new Float32Array(BATCH * 400).fill(1) };
    const [unit, again, other] = [
      createBlockUnit(options(1)),
      createBlockUnit(options(1)),
      createBlockUnit(options(2)),
    ];
    const first = activationOf(unit, 1, input).values;
    const second = activationOf(unit, 2, input).values;
    expect(activationOf(unit, 1, input).values).toEqual(first);
    expect(activationOf(again, 1, input).values).toEqual(first);
    expect(second).not.toEqual(first);
    expect(activationOf(other, 1, input).values).not.toEqual(first);

    // Kept with probability 3/4 and scaled by its inverse; six standard deviations of a count of 2,400 are 127.
    expect(new Set(first)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    expect(Math.abs(first.filter((value) => value > 0).length - 1800)).toBeLessThan(127);
    expect(unit.evaluate(input, labels).output?.values).toEqual(input.values);
    for (const each of [unit, again, other]) each.dispose();
  });
});
