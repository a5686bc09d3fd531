/** How far estimates of a model's agreement with the oracle are from the truth, in a simulation. Figures: docs/adr/0022. */
import { describe, expect, it } from "vitest";
import { accuracyEstimator, correctedAgreement, teacherAgreement } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";

const CLASSES = 10;
const INPUTS = 2000;
/** 1 % of a window. */
const LABELS = 20;
const POOLED = 5;
const WINDOWS = 20;
/** Noise of the inputs that the model was trained on: 88 % right. */
const NOISE = 0.35;

interface Inputs {
  readonly confidences: readonly number[];
  readonly right: readonly boolean[];
  readonly accuracy: number;
}

/** Ten classes at the unit vectors, Gaussian noise; the model is the best one for `NOISE`: overconfident above. */
function drawInputs(random: () => number, noise: number): Inputs {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const outputs = Array.from({ length: INPUTS }, () =>
    Array.from({ length: CLASSES }, (_, k) => (k === 0 ? 1 : 0) + noise * normal()),
  );
  const confidences = outputs.map((output) => {
    const largest = Math.max(...output);
    return 1 / output.reduce((sum, each) => sum + Math.exp((each - largest) / NOISE ** 2), 0);
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

describe("estimates of agreement", () => {
  it("are within 3 points on average for a model at 88 %: 20 labels a window, five windows pooled", () => {
    const random = randomFrom(7919);
    const recent: (readonly Labelled[])[] = [];
    const errors = Array.from({ length: 10 * WINDOWS }, () => {
      const inputs = drawInputs(random, NOISE);
      recent.push(drawLabels(random, inputs));
      return Math.abs(correctedAgreement(inputs.confidences, recent.slice(-POOLED).flat()).mean - inputs.accuracy);
    });
    expect(mean(errors)).toBeLessThan(0.03);
  });

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
