/**
 * A world of points on a circle in three sectors, which turns; a student without hidden layers, in plain JavaScript; an oracle
 * that knows how far the world has turned. For the learner: its mathematics is nobody else's.
 */
import { randomDraws } from "../../src/data/index.ts";
import type { FollowedInput, Oracle, StudentLab, TrainPlan } from "../../src/actors/learner/index.ts";
import type { TensorView } from "../../src/messages/index.ts";
import type { NamedTensors } from "../../src/models/index.ts";

export const CLASSES = 3;
/** x, y, 1, and what only the oracle looks at: the angle of the world. */
export const SAMPLE_SHAPE = [4] as const;
const FEATURES = 3;
const KERNEL = "weights/dense/kernel";
const NORM = "weights/norm/moving_mean";

/** A point that the world, turned by `turn` radians, shows. */
export function pointOf(index: number, turn: number, seed = 1): Float32Array {
  const angle = randomDraws(seed, index).uniform() * 2 * Math.PI;
  return Float32Array.from([Math.cos(angle), Math.sin(angle), 1, turn]);
}

export function classOf([x = 0, y = 0, , turn = 0]: ArrayLike<number> & Iterable<number>): number {
  const angle = (Math.atan2(y, x) - turn + 8 * Math.PI) % (2 * Math.PI);
  return Math.floor(angle / ((2 * Math.PI) / CLASSES));
}

/** Of one round. */
export function roundOf(from: number, count: number, turn: number): FollowedInput[] {
  return Array.from({ length: count }, (_, index) => ({
    position: from + index,
    values: pointOf(from + index, turn),
    stratum: "uniform" as const,
  }));
}

export interface WorldOracle extends Oracle {
  version: string;
  /** Inputs that were asked. */
  asked: number;
}

export function worldOracle(): WorldOracle {
  return {
    version: "1",
    asked: 0,
    label(inputs) {
      this.asked += inputs.length;
      const logits = inputs.flatMap((input) => {
        const right = classOf(input);
        return Array.from({ length: CLASSES }, (_, each) => (each === right ? 6 : 0));
      });
      return Promise.resolve({ version: this.version, logits: Float32Array.from(logits) });
    },
  };
}

/** Kernel [features, classes] that is right before the world turns. */
export function firstWeights(): NamedTensors {
  const values = new Float32Array(FEATURES * CLASSES);
  for (let each = 0; each < CLASSES; each += 1) {
    const middle = ((each + 0.5) * 2 * Math.PI) / CLASSES;
    values[each] = 4 * Math.cos(middle);
    values[CLASSES + each] = 4 * Math.sin(middle);
  }
  return {
    [KERNEL]: { dtype: "f32", shape: [FEATURES, CLASSES], values },
    [NORM]: { dtype: "f32", shape: [1], values: new Float32Array(1) },
  };
}

/** Logits of one input. */
export function logitsOf(weights: NamedTensors, input: ArrayLike<number>): number[] {
  const kernel = weights[KERNEL]?.values as Float32Array;
  return Array.from({ length: CLASSES }, (_, each) => {
    let sum = 0;
    for (let feature = 0; feature < FEATURES; feature += 1) {
      sum += (input[feature] as number) * (kernel[feature * CLASSES + each] as number);
    }
    return sum;
  });
}

export interface LinearLab extends StudentLab {
  readonly held: ReadonlyMap<number, NamedTensors>;
  /** What training makes instead, of the weights that it would have made. @default the same */
  poison: ((weights: NamedTensors) => NamedTensors) | undefined;
  trained: number;
  /** Trainings of its sections. */
  taught: number;
  latency: { live: number; candidate: number };
}

/** Plain gradient descent on the cross entropy of softened targets. */
export function linearLab(): LinearLab {
  const held = new Map<number, NamedTensors>();
  const rowsOf = ({ values, shape }: TensorView): Float32Array[] =>
    Array.from({ length: shape[0] ?? 0 }, (_, row) => Float32Array.from(values.slice(row * 4, row * 4 + 4)));
  return {
    held,
    poison: undefined,
    trained: 0,
    taught: 0,
    latency: { live: 1, candidate: 1 },
    hold(key, weights) {
      held.set(key, weights);
      return Promise.resolve();
    },
    drop(key) {
      held.delete(key);
      return Promise.resolve();
    },
    answer(key, inputs) {
      const weights = held.get(key);
      if (weights === undefined) return Promise.reject(new Error(`weights ${key} are not held`));
      const rows = rowsOf(inputs).map((input) => logitsOf(weights, input));
      const nonFiniteRows = rows.flatMap((row, index) => (row.every(Number.isFinite) ? [] : [index]));
      const logits = Float32Array.from(rows.flatMap((row) => (row.every(Number.isFinite) ? row : row.map(() => 0))));
      return Promise.resolve({ logits, nonFiniteRows });
    },
    compareLatency() {
      return Promise.resolve(this.latency);
    },
    train(from, plan) {
      this.trained += 1;
      const weights = descend(from, plan);
      return Promise.resolve({ weights: this.poison?.(weights) ?? weights, loss: 0.5 });
    },
    async trainSections(from, { steps, focus, batch, teach }) {
      this.taught += 1;
      // It has one section, which learns from the oracle's logits.
      const lessons = await Promise.all(Array.from({ length: steps }, (_, step) => teach(batch(step + 1).inputs)));
      const known = lessons.filter((lesson) => lesson !== undefined);
      return descend(from, {
        ...(focus === undefined ? {} : { focus }),
        steps: known.length,
        batch: (step) => ({ ...batch(step), logits: known[step - 1]?.logits.values as Float32Array }),
      });
    },
    recalibrate: (from) => Promise.resolve(from),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function descend(from: NamedTensors, { steps, focus, batch }: TrainPlan): NamedTensors {
  const kernel = Float32Array.from(from[KERNEL]?.values ?? []);
  const free = focus === undefined ? undefined : new Set(focus[KERNEL] ?? []);
  for (let step = 1; step <= steps; step += 1) {
    const { inputs, logits, labels } = batch(step);
    const gradient = new Float64Array(kernel.length);
    for (let row = 0; row < labels.length; row += 1) {
      const input = inputs.values.slice(row * 4, row * 4 + 4) as Float32Array;
      const own = softmax(logitsOf({ [KERNEL]: { dtype: "f32", shape: [], values: kernel } }, input));
      const target = softmax([...logits.slice(row * CLASSES, (row + 1) * CLASSES)]);
      for (let feature = 0; feature < FEATURES; feature += 1) {
        for (let each = 0; each < CLASSES; each += 1) {
          const place = feature * CLASSES + each;
          gradient[place] =
            (gradient[place] as number) +
            ((input[feature] as number) * ((own[each] as number) - (target[each] as number))) / labels.length;
        }
      }
    }
    for (const [place, slope] of gradient.entries()) {
      if (free === undefined || free.has(place)) kernel[place] = (kernel[place] as number) - 2 * slope;
    }
  }
  return { ...from, [KERNEL]: { dtype: "f32", shape: [FEATURES, CLASSES], values: kernel } };
}

function softmax(row: readonly number[]): number[] {
  const greatest = Math.max(...row);
  const powers = row.map((each) => Math.exp(each - greatest));
  const sum = powers.reduce((total, each) => total + each, 0);
  return powers.map((each) => each / sum);
}
