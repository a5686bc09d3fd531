/** The lab on a real compute worker, against tfjs itself. */
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SectionPlan, StudentLab, TrainPlan } from "../../../../../src/actors/learner/index.ts";
import { type ComputeWorker, createComputeWorker } from "../../../../../src/compute/index.ts";
import { openStudentLab } from "../../../../../src/jobs/kinds/continuous/student-lab.ts";
import type { TensorView } from "../../../../../src/messages/index.ts";
import type { NamedTensors } from "../../../../../src/models/index.ts";
import type { ModelSpec } from "../../../../../src/run-spec/index.ts";

const [INPUT, HIDDEN, CLASSES] = [6, 8, 3];
const NETWORK: ModelSpec = {
  input: [INPUT],
  classes: CLASSES,
  layers: [
    { name: "scale", type: "rescaling", scale: 0.1 },
    { name: "dense", type: "dense", units: HIDDEN },
    { name: "norm", type: "batch_normalization", momentum: 0.9 },
    { name: "relu", type: "re_lu" },
    { name: "logits", type: "dense", units: CLASSES },
  ],
  cuts: [],
};

let worker: ComputeWorker;
let opened = 0;
beforeAll(async () => {
  worker = await createComputeWorker({ backend: "cpu" });
});
afterAll(() => worker.close());

const open = (network = NETWORK): Promise<StudentLab> => {
  opened += 1;
  return openStudentLab(
    {
      name: `lab-${opened}`,
      network,
      optimizer: { kind: "adam", learningRate: 0.01 },
      learningRate: { peak: 0.01, schedule: "cosine" },
      loss: { crossEntropy: 0, logits: { kind: "plain", temperature: 1, weight: 1, nonTarget: 8 } },
      seed: 3,
    },
    worker,
  );
};

/** Waves: values of a shape, other ones for another phase. */
function waves(shape: readonly number[], phase: number): TensorView & { readonly dtype: "f32" } {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from({ length: size }, (_, index) => Math.sin(1.7 * index + phase));
  return { dtype: "f32", shape, values };
}

function bytes(rows: number, phase: number): TensorView {
  const { shape, values } = waves([rows, INPUT], phase);
  return { dtype: "u8", shape, values: Uint8Array.from(values, (value) => 20 + 20 * value) };
}

function weightsOf(phase: number): NamedTensors {
  const ones = (value: number): TensorView => ({
    dtype: "f32",
    shape: [HIDDEN],
    values: new Float32Array(HIDDEN).fill(value),
  });
  return {
    "weights/dense/kernel": waves([INPUT, HIDDEN], phase),
    "weights/dense/bias": waves([HIDDEN], phase + 1),
    "weights/norm/gamma": ones(1),
    "weights/norm/beta": ones(0),
    "weights/norm/moving_mean": ones(0),
    "weights/norm/moving_variance": ones(1),
    "weights/logits/kernel": waves([HIDDEN, CLASSES], phase + 2),
    "weights/logits/bias": waves([CLASSES], phase + 3),
  };
}

/** [n, input] -> [n, classes] by tfjs's own functions, for statistics of 0 and 1. */
function logitsByHand(weights: NamedTensors, inputs: TensorView): Float32Array {
  const read = (name: string): tf.Tensor => {
    const { values, shape } = weights[`weights/${name}`] as TensorView;
    return tf.tensor(Float32Array.from(values), [...shape]);
  };
  return tf
    .tidy(() => {
      const x = tf.tensor2d(Float32Array.from(inputs.values), [inputs.shape[0] ?? 0, INPUT]).mul(0.1);
      const dense = tf.add(tf.matMul(x as tf.Tensor2D, read("dense/kernel") as tf.Tensor2D), read("dense/bias"));
      const hidden = tf.relu(dense.div(Math.sqrt(1.001)));
      return tf.add(tf.matMul(hidden as tf.Tensor2D, read("logits/kernel") as tf.Tensor2D), read("logits/bias"));
    })
    .dataSync<"float32">();
}

/** [n, input] -> [n, hidden], in plain arithmetic. */
function hiddenByHand(weights: NamedTensors, inputs: TensorView): Float32Array {
  const read = (name: string): ArrayLike<number> => (weights[`weights/${name}`] as TensorView).values;
  const [kernel, bias] = [read("dense/kernel"), read("dense/bias")];
  const [gamma, beta] = [read("norm/gamma"), read("norm/beta")];
  const [mean, variance] = [read("norm/moving_mean"), read("norm/moving_variance")];
  return Float32Array.from({ length: (inputs.shape[0] ?? 0) * HIDDEN }, (_, index) => {
    const [row, unit] = [Math.floor(index / HIDDEN), index % HIDDEN];
    let sum = (bias[unit] as number) - (mean[unit] as number);
    for (let feature = 0; feature < INPUT; feature += 1) {
      sum += 0.1 * (inputs.values[row * INPUT + feature] as number) * (kernel[feature * HIDDEN + unit] as number);
    }
    const normed = sum / Math.sqrt((variance[unit] as number) + 1e-3);
    return Math.max(0, (gamma[unit] as number) * normed + (beta[unit] as number));
  });
}

function f32(shape: readonly number[], values: Float32Array): TensorView {
  return { dtype: "f32", shape, values };
}

/** Steps towards the answers of other weights. */
function planOf(steps: number, asked: number[] = []): TrainPlan {
  const teacher = weightsOf(0.1);
  return {
    steps,
    batch(step) {
      asked.push(step);
      const inputs = bytes(16, step);
      return { inputs, logits: logitsByHand(teacher, inputs), labels: new Int32Array(16).fill(-1) };
    },
  };
}

describe("openStudentLab", () => {
  it("answers any number of rows as tfjs does, for bytes and floats, and borrows what it gets", async () => {
    await using lab = await open();
    const weights = weightsOf(0);
    await lab.hold(7, weights);
    for (const inputs of [bytes(300, 1), waves([5, INPUT], 2)]) {
      const { logits, nonFiniteRows } = await lab.answer(7, inputs);
      const expected = logitsByHand(weights, inputs);
      expect(nonFiniteRows).toEqual([]);
      expect(logits).toHaveLength(expected.length);
      for (const [at, logit] of logits.entries()) expect(logit).toBeCloseTo(expected[at] ?? NaN, 4);
    }
  });

  it("lists rows that are not finite, as zeros, by their place among all rows", async () => {
    await using lab = await open();
    await lab.hold(1, weightsOf(0));
    const inputs = waves([300, INPUT], 0);
    inputs.values[290 * INPUT] = NaN;
    const { logits, nonFiniteRows } = await lab.answer(1, inputs);
    expect(nonFiniteRows).toEqual([290]);
    expect(logits.slice(290 * CLASSES, 291 * CLASSES)).toEqual(new Float32Array(CLASSES));
  });

  it("holds several weights under their numbers, replaces and drops them", async () => {
    await using lab = await open();
    const inputs = bytes(2, 3);
    const [one, two] = [weightsOf(0), weightsOf(1)];
    await lab.hold(1, one);
    await lab.hold(2, two);
    const { logits: first } = await lab.answer(1, inputs);
    await lab.hold(1, two);
    expect((await lab.answer(1, inputs)).logits).toEqual((await lab.answer(2, inputs)).logits);
    expect((await lab.answer(1, inputs)).logits).not.toEqual(first);
    await lab.drop(1);
    await expect(lab.answer(1, inputs)).rejects.toMatchObject({ code: "KN_STALE" });
  });

  it("measures both of two weights", async () => {
    await using lab = await open();
    await lab.hold(1, weightsOf(0));
    await lab.hold(2, weightsOf(1));
    const { live, candidate } = await lab.compareLatency(1, 2, 4);
    expect(live).toBeGreaterThan(0);
    expect(candidate).toBeGreaterThan(0);
  });

  it("trains a copy, each time anew: equal plans give equal weights, the loss falls", async () => {
    await using lab = await open();
    const from = weightsOf(0);
    const asked: number[] = [];
    const short = await lab.train(from, planOf(4));
    const long = await lab.train(from, planOf(60, asked));
    expect(asked).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(long.loss).toBeLessThan(short.loss / 2);
    expect(from).toEqual(weightsOf(0));
    expect(Object.keys(long.weights).sort()).toEqual(Object.keys(from).sort());
    expect(await lab.train(from, planOf(60))).toEqual(long);
  });

  it("trains within the focus of the plan alone, and later everywhere", async () => {
    await using lab = await open();
    const from = weightsOf(0);
    const kernel = "weights/dense/kernel";
    const { weights } = await lab.train(from, { ...planOf(5), focus: { [kernel]: Uint32Array.of(3, 40) } });
    const differing = (name: string, other: NamedTensors): number[] =>
      Array.from(from[name]?.values ?? [], (value, at) => (value === other[name]?.values[at] ? -1 : at)).filter(
        (at) => at >= 0,
      );
    expect(differing(kernel, weights)).toEqual([3, 40]);
    for (const name of ["dense/bias", "norm/gamma", "norm/beta", "logits/kernel", "logits/bias"]) {
      expect(differing(`weights/${name}`, weights), name).toEqual([]);
    }
    expect(differing("weights/norm/moving_mean", weights)).toHaveLength(HIDDEN);
    const { weights: free } = await lab.train(from, planOf(5));
    expect(differing("weights/logits/bias", free)).toHaveLength(CLASSES);
  });

  it("trains its sections by those of an oracle, each apart, until it has nothing more to say", async () => {
    await using lab = await open({ ...NETWORK, cuts: ["relu"] });
    const [from, oracle] = [weightsOf(2), weightsOf(0.1)];
    const plan = (steps: number, lessons = steps, focus?: SectionPlan["focus"]): SectionPlan => {
      let taught = 0;
      return {
        steps,
        ...(focus === undefined ? {} : { focus }),
        batch: (step) => ({ inputs: bytes(16, step), labels: new Int32Array(16).fill(-1) }),
        teach(inputs) {
          taught += 1;
          if (taught > lessons) return Promise.resolve(undefined);
          const activations = [f32([16, HIDDEN], hiddenByHand(oracle, inputs))];
          return Promise.resolve({ activations, logits: f32([16, CLASSES], logitsByHand(oracle, inputs)) });
        },
      };
    };
    const distance = (weights: NamedTensors): number => {
      const inputs = bytes(64, 100);
      const wanted = hiddenByHand(oracle, inputs);
      return Array.from(hiddenByHand(weights, inputs)).reduce(
        (sum, each, at) => sum + (each - (wanted[at] ?? NaN)) ** 2,
        0,
      );
    };
    const trained = await lab.trainSections(from, plan(600));
    expect(from).toEqual(weightsOf(2));
    expect(Object.keys(trained).sort()).toEqual(Object.keys(from).sort());
    expect(distance(trained)).toBeLessThan(distance(from) / 4);
    expect(await lab.trainSections(from, plan(7, 0))).toEqual(from);

    // What the last one learns does not reach the first: no gradient crosses a boundary.
    const last = { "weights/logits/bias": Uint32Array.of(1) };
    const focused = await lab.trainSections(from, plan(5, 5, last));
    const names = Object.keys(from).filter((name) => !name.includes("moving"));
    const changed = names.filter((name) => String(focused[name]?.values) !== String(from[name]?.values));
    expect(changed).toEqual(["weights/logits/bias"]);
  });

  it("shows images shifted, other ones in each step, and what it cannot shift as it is", async () => {
    const images: ModelSpec = {
      input: [3, 3, 1],
      classes: 9,
      layers: [
        { name: "flat", type: "flatten" },
        { name: "logits", type: "dense", units: 9 },
      ],
      cuts: [],
    };
    const options = {
      network: images,
      optimizer: { kind: "sgd", learningRate: 1, momentum: 0, nesterov: false },
      learningRate: { peak: 1, schedule: "constant" },
      loss: { crossEntropy: 1 },
      seed: 3,
    } as const;
    const zeros = (shape: readonly number[]): TensorView => ({
      dtype: "f32",
      shape,
      values: new Float32Array(shape.reduce((product, extent) => product * extent, 1)),
    });
    const from = { "weights/logits/kernel": zeros([9, 9]), "weights/logits/bias": zeros([9]) };
    // One bright pixel in the middle: only the weights of the place where it is shown have a gradient.
    const middle = Uint8Array.from({ length: 9 }, (_, place) => (place === 4 ? 1 : 0));
    const placesOf = async (augmentation: { flip: boolean; shift: number } | undefined, dtype: "u8" | "f32") => {
      await using lab = await openStudentLab(
        { ...options, name: `images-${(opened += 1)}`, ...(augmentation === undefined ? {} : { augmentation }) },
        worker,
      );
      const values = dtype === "u8" ? middle : Float32Array.from(middle);
      const { weights } = await lab.train(from, {
        steps: 40,
        batch: () => ({
          inputs: { dtype, shape: [1, 3, 3, 1], values } as TensorView,
          logits: new Float32Array(9),
          labels: Int32Array.of(0),
        }),
      });
      const kernel = weights["weights/logits/kernel"]?.values ?? new Float32Array(81);
      return Array.from({ length: 9 }, (_, place) => place).filter((place) => kernel[place * 9] !== 0);
    };
    expect(await placesOf({ flip: false, shift: 1 }, "u8")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await placesOf(undefined, "u8")).toEqual([4]);
    expect(await placesOf({ flip: false, shift: 1 }, "f32")).toEqual([4]);
    expect(middle.length).toBe(9);
  });

  it("recalibrates: the moving mean is the mean over the batches, no weight changes", async () => {
    await using lab = await open();
    const from = weightsOf(0);
    const batches = [bytes(8, 1), bytes(8, 2)];
    const after = await lab.recalibrate(from, batches);
    const dense = batches.map((batch) =>
      tf
        .tidy(() => {
          const x = tf.tensor2d(Float32Array.from(batch.values), [8, INPUT]).mul(0.1);
          const kernel = tf.tensor2d(Float32Array.from(from["weights/dense/kernel"]?.values ?? []), [INPUT, HIDDEN]);
          return tf
            .matMul(x as tf.Tensor2D, kernel)
            .add(tf.tensor1d(from["weights/dense/bias"]?.values ?? new Float32Array(0)))
            .mean(0);
        })
        .dataSync(),
    );
    for (const [at, value] of (after["weights/norm/moving_mean"]?.values ?? new Float32Array(0)).entries()) {
      expect(value).toBeCloseTo(((dense[0]?.[at] ?? NaN) + (dense[1]?.[at] ?? NaN)) / 2, 4);
    }
    const unchanged = Object.keys(from).filter((name) => !name.includes("moving_"));
    for (const name of unchanged) expect(after[name], name).toEqual(from[name]);
    expect(batches[0]?.values.length).toBe(8 * INPUT);
  });

  it("rejects weights of another network and trainings that diverge, and goes on", async () => {
    await using lab = await open();
    const { "weights/logits/bias": _, ...less } = weightsOf(0);
    await expect(lab.hold(1, less)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await expect(lab.train(less, planOf(1))).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    const plan: TrainPlan = { ...planOf(1), batch: () => ({ ...planOf(1).batch(1), inputs: notFinite() }) };
    await expect(lab.train(weightsOf(0), plan)).rejects.toMatchObject({ code: "KN_NUMERIC" });
    await lab.hold(1, weightsOf(0));
    expect((await lab.answer(1, bytes(1, 0))).logits).toHaveLength(CLASSES);
  });
});

function notFinite(): TensorView {
  const inputs = waves([16, INPUT], 0);
  inputs.values[3] = NaN;
  return inputs;
}
