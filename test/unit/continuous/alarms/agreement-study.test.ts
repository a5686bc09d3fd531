/**
 * How far estimates of a model's agreement with the oracle are from the truth, in a simulation. The table of
 * docs/adr/0022: KN_STREAMS=15 npx vitest run test/unit/continuous/alarms/agreement-study.test.ts
 */
import { describe, expect, it } from "vitest";
import { accuracyEstimator, correctedAgreement, teacherAgreement } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";

const CLASSES = 10;
const INPUTS = 2000;
/** 1 % of a window. */
const LABELS = 20;
const POOLED = 5;
const WINDOWS = 20;
const STREAMS = Number(process.env["KN_STREAMS"] ?? 2);
/** Noise of the inputs that the model was trained on: 88 % right. */
const NOISE = 0.35;

interface Inputs {
  readonly confidences: readonly number[];
  readonly right: readonly boolean[];
  readonly accuracy: number;
}

/** Ten classes at the unit vectors, Gaussian noise; the model is the best one for `trainedOn`: overconfident above. */
function drawInputs(random: () => number, noise: number, trainedOn = NOISE): Inputs {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const outputs = Array.from({ length: INPUTS }, () =>
    Array.from({ length: CLASSES }, (_, k) => (k === 0 ? 1 : 0) + noise * normal()),
  );
  const confidences = outputs.map((output) => {
    const largest = Math.max(...output);
    return 1 / output.reduce((sum, each) => sum + Math.exp((each - largest) / trainedOn ** 2), 0);
  });
  const right = outputs.map((output) => output[0] === Math.max(...output));
  return { confidences, right, accuracy: right.filter(Boolean).length / INPUTS };
}

interface Labelled {
  readonly confidence: number;
  readonly agrees: boolean;
}

function drawLabels(random: () => number, { confidences, right }: Inputs): readonly Labelled[] {
  return Array.from({ length: LABELS }, () => {
    const index = Math.floor(random() * INPUTS);
    return { confidence: confidences[index] ?? 0, agrees: right[index] === true };
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

/** Noise of a window's inputs, and the noise that its model was trained on. */
type World = (window: number) => { readonly noise: number; readonly trainedOn: number };

const wander = (window: number): number => NOISE + 0.1 * Math.sin((Math.PI * window) / WINDOWS) ** 2;
const WORLDS: Readonly<Record<string, World>> = {
  "a model at 88 %": () => ({ noise: NOISE, trainedOn: NOISE }),
  "a model that follows, one window behind": (window) => ({ noise: wander(window), trainedOn: wander(window - 1) }),
  "a frozen model": (window) => ({ noise: NOISE + (0.45 * window) / (WINDOWS - 1), trainedOn: NOISE }),
};

/** Mean absolute errors of a window's accuracy, in points. */
function errorsOf(world: World, name: string): Readonly<Record<string, number>> {
  const errors = Array.from({ length: STREAMS }, (_, stream) => {
    const random = randomFrom(7919 * (stream + 1));
    const estimator = accuracyEstimator(drawInputs(random, NOISE));
    const strata: (readonly Labelled[])[] = [];
    return Array.from({ length: WINDOWS }, (_each, window) => {
      const { noise, trainedOn } = world(window);
      const inputs = drawInputs(random, noise, trainedOn);
      strata.push(drawLabels(random, inputs));
      const recent = strata.slice(-POOLED).flat();
      const { atc, differenceOfConfidences } = estimator.estimate(inputs.confidences);
      const estimates = {
        atc,
        differenceOfConfidences,
        one: teacherAgreement(strata.at(-1) ?? []).agreement,
        pooled: teacherAgreement(recent.map(({ agrees }) => ({ agrees }))).agreement,
        corrected: correctedAgreement(inputs.confidences, recent).mean,
      };
      const isFull = window + 1 >= POOLED;
      return Object.entries(estimates).flatMap(([key, value]): [string, number][] =>
        isFull ? [[key, 100 * Math.abs(value - inputs.accuracy)]] : [],
      );
    }).flat();
  }).flat();
  const keys = [...new Set(errors.map(([key]) => key))];
  const means = keys.map((key) => [key, mean(errors.flatMap(([of, value]) => (of === key ? [value] : [])))] as const);
  if (process.env["KN_STREAMS"] !== undefined) {
    console.log(name, means.map(([key, value]) => `${key} ${value.toFixed(1)}`).join(", "));
  }
  return Object.fromEntries(means);
}

describe("estimates of agreement", () => {
  it("are within 3 points on average for a model at 88 %: 20 labels a window, five windows and confidences", () => {
    const name = "a model at 88 %";
    const { corrected, pooled, one } = errorsOf(WORLDS[name] as World, name);
    expect(corrected).toBeLessThan(3);
    expect(corrected).toBeLessThan(pooled ?? 0);
    expect(pooled).toBeLessThan(one ?? 0);
  });

  it.each(["a model that follows, one window behind", "a frozen model"])(
    "are as far as 20 labels allow: %s",
    (name) => {
      const { corrected, one } = errorsOf(WORLDS[name] as World, name);
      expect(corrected).toBeLessThan(one ?? 0);
      expect(one).toBeLessThan(80 * Math.sqrt(0.25 / LABELS) * 1.2); // 0.8 standard errors of a share of one half
    },
  );

  it("are within 3 points over a schedule of 20 windows for a frozen model that falls from 88 to 44 %", () => {
    const random = randomFrom(104_729);
    const errors = Array.from({ length: 5 }, () => {
      const windows = Array.from({ length: WINDOWS }, (_, w) => drawInputs(random, NOISE + (0.45 * w) / (WINDOWS - 1)));
      const { agreement, low, high } = teacherAgreement(windows.flatMap((inputs) => drawLabels(random, inputs)));
      const truth = mean(windows.map(({ accuracy }) => accuracy));
      expect(low).toBeLessThan(agreement);
      expect(high).toBeGreaterThan(agreement);
      return Math.abs(agreement - truth);
    });
    expect(mean(errors)).toBeLessThan(0.03);
  });

  it("without any label hold while confidence keeps its meaning, and miss a confident error", () => {
    const random = randomFrom(15_485_863);
    const estimator = accuracyEstimator(drawInputs(random, NOISE));
    const same = drawInputs(random, NOISE);
    const { atc, differenceOfConfidences } = estimator.estimate(same.confidences);
    expect(Math.abs(atc - same.accuracy)).toBeLessThan(0.03);
    expect(Math.abs(differenceOfConfidences - same.accuracy)).toBeLessThan(0.03);
    const noisy = drawInputs(random, 2 * NOISE);
    expect(estimator.estimate(noisy.confidences).atc - noisy.accuracy).toBeGreaterThan(0.15); // hence alarms only
  });
});
