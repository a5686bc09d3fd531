/**
 * Arms and schedules of the drift bench: a student of window 0 on the edge, an oracle of all domains, and what follows.
 * What is measured, and how, was fixed before the first run (table.ts).
 */
import type { GateRules } from "../../../src/continuous/index.ts";
import type { Schedule } from "../../../src/data/drift/index.ts";
import type { LogitsSpec } from "../../../src/run-spec/index.ts";

export const SCHEDULES = ["ramp", "abrupt", "recurring", "label-shift", "new-class", "mixture"] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** `frozen` and `oracle` are measured beside each of these. */
export const ARMS = ["follow", "sections", "batch-norm", "reset", "blind", "true-labels", "random-upload"] as const;
export type Arm = (typeof ARMS)[number];

export interface DriftKey {
  readonly experiment: string;
  readonly schedule: ScheduleName;
  readonly arm: Arm;
  readonly seed: number;
}

/** One pass of a network over its own training images. */
export interface NetworkTraining {
  /** Example spec that it is taken from. */
  readonly spec: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Images are shifted by up to so many pixels; 0: not. */
  readonly shift: number;
}

/** What a learner does with the observations of a window. */
export interface LearnerSettings {
  readonly steps: number;
  /** Share of them that is trained without a mask before: how far each weight moves there selects the mask. */
  readonly probeShare: number;
  /** Of the student's sections by the oracle's, before them; of the arm `sections` alone. */
  readonly sectionSteps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Share of a batch that is of the time before the stream. */
  readonly rehearsalShare: number;
  /** Trains while the live student agrees with the oracle on less than this share of the uniform inputs; above 1: always. */
  readonly below: number;
  /** Of observations, as the follower counts. */
  readonly window: { readonly observations: number; readonly roundObservations: number };
  readonly gate: Partial<GateRules>;
  readonly evidence: "edge" | "uniform";
  /** Share of the weights that an update sets, and its largest size. */
  readonly fraction: number;
  readonly maxBytes: number;
  /** Against the oracle's logits. */
  readonly logits: LogitsSpec;
  /** Weight of the loss against the oracle's class. */
  readonly crossEntropy: number;
  readonly replayCapacity: number;
  /** Windows, as the follower counts, whose samples are half of a batch. */
  readonly recentWindows: number;
  /** Images are shifted by up to so many pixels, and turned by up to so many degrees to either side. */
  readonly shift: number;
  readonly rotate: number;
}

export interface DriftExperiment {
  readonly name: string;
  readonly title: string;
  readonly dataset: "mnist" | "cifar-10";
  readonly windows: number;
  /** Live images of a window, and those that measure it. */
  readonly samples: number;
  readonly testSamples: number;
  /** Source images for the training of oracle and student; the stream is made of the others. */
  readonly trainingImages: number;
  /** Of these, apart: images of window 0's domain that must not be forgotten; and some that are rehearsed. */
  readonly anchor: { readonly test: number; readonly rehearsal: number };
  readonly oracle: NetworkTraining;
  readonly student: NetworkTraining;
  readonly schedules: Readonly<Partial<Record<ScheduleName, Schedule>>>;
  readonly arms: readonly Arm[];
  readonly link: {
    /** Largest share of the live inputs that is uploaded. */
    readonly uploadShare: number;
    readonly uniformShare: number;
    /** Chance of an input about which nothing is of interest, against 1 for a disagreement. */
    readonly floor: number;
    /** Parts of a window, after each of which observations leave and updates come. */
    readonly slots: number;
  };
  readonly learner: LearnerSettings;
  /** Windows after which `reset` begins anew from the weights of window 0. */
  readonly resetEvery: number;
  /** What goes wrong; absent: nothing. */
  readonly faults?: DriftFaults;
}

export interface DriftFaults {
  /** Training whose result is useless, from 1; a trial that chooses a mask does not count. For the gate. */
  readonly poisoned: number;
  /** From this one on all are useless until a rollback, and its candidate is promoted whatever the gate says: for the watch. */
  readonly broken: number;
  /** The link is cut from the start of slot `from` of a window to that of slot `to`: what waits goes over it then. */
  readonly cut: { readonly window: number; readonly from: number; readonly to: number };
}

/** Below this it is not called drift: the mean distance of the frozen student to the oracle. */
export const LEAST_DRIFT = 0.15;

/** Targets, as issue and documents state them before any run. */
export const QUICK_BOUNDS = { recovered: 0.6 } as const;

const LOGITS: LogitsSpec = { kind: "plain", temperature: 2, weight: 1, nonTarget: 8 };

/**
 * Found on the ramp, seed 1, by the distance to the oracle in drifted windows (one run each; the machine was busy):
 * - steps, shift: retraining without a gate is 2.7 points below with 100 steps, 2.4 with shifted images, 1.7 with 300 steps too.
 * - rehearsalShare: with 0.25 and a weaker oracle candidates were refused for forgetting from the middle of the ramp on.
 * - window, windowBudget: a candidate that is no better soon gives way to one of newer observations; with windows of 50 and
 *   a budget of 6 a candidate blocked three windows of the stream.
 * - below: six uniform labels of a window are too few to tell 96 % from 98 %, so a candidate is made whenever there is none.
 * - floor: at 0.05 two thirds of the interesting uploads are inputs on which both agree.
 * - fraction: 0.3 of 268,000 weights are 99 KB.
 */
const MNIST = {
  dataset: "mnist",
  trainingImages: 30_000,
  anchor: { test: 1_000, rehearsal: 1_000 },
  oracle: { spec: "examples/mnist-teacher.yaml", epochs: 10, batchSize: 128, learningRate: 0.002, shift: 2 },
  student: { spec: "examples/mnist-sections.yaml", epochs: 2, batchSize: 128, learningRate: 0.002, shift: 0 },
  link: { uploadShare: 0.05, uniformShare: 0.2, floor: 0.01, slots: 10 },
  learner: {
    steps: 300,
    probeShare: 0.1,
    sectionSteps: 100,
    batchSize: 64,
    learningRate: 0.002,
    rehearsalShare: 0.3,
    below: 1.01,
    window: { observations: 30, roundObservations: 10 },
    gate: { windowBudget: 4 },
    evidence: "edge",
    fraction: 0.3,
    maxBytes: 160_000,
    logits: LOGITS,
    crossEntropy: 0,
    replayCapacity: 1_000,
    recentWindows: 8,
    shift: 2,
    rotate: 12,
  },
  resetEvery: 5,
} as const;

const ROTATION = { kind: "rotation", degrees: 90 } as const;
const INVERSION = { kind: "inversion", amount: 1 } as const;

/** Corruptions of CIFAR-10-C that move a network of clean images by 15 points or more. */
const NOISE = { kind: "gaussian-noise", severity: 5 } as const;
const CONTRAST = { kind: "contrast", severity: 5 } as const;
const FOG = { kind: "fog", severity: 5 } as const;
const PIXELATE = { kind: "pixelate", severity: 5 } as const;

export const DRIFT_EXPERIMENTS: Readonly<Record<"drift" | "drift-cifar" | "drift-quick", DriftExperiment>> = {
  drift: {
    ...MNIST,
    name: "drift",
    title: "A student that follows drifting MNIST under a link budget",
    windows: 20,
    samples: 2_000,
    testSamples: 1_000,
    arms: ARMS,
    schedules: {
      ramp: { kind: "ramp", domain: [ROTATION] },
      abrupt: { kind: "abrupt", domain: [INVERSION], at: 6 },
      recurring: { kind: "recurring", first: [], second: [{ ...ROTATION, degrees: 60 }], periodWindows: 5 },
      "label-shift": { kind: "label-shift", concentration: 0.5, domain: [{ ...ROTATION, degrees: 60 }] },
      "new-class": { kind: "new-class", classes: [7, 8, 9], at: 6, domain: [] },
      mixture: {
        kind: "mixture",
        at: 6,
        share: 1,
        domains: [
          [{ ...ROTATION, degrees: 60 }],
          [INVERSION],
          [{ kind: "thickness", pixels: 2 }],
          [
            { kind: "contrast", severity: 5 },
            { kind: "gaussian-noise", severity: 5 },
          ],
        ],
      },
    },
  },
  "drift-cifar": {
    ...MNIST,
    name: "drift-cifar",
    title: "A student that follows corruptions of CIFAR-10 under a link budget",
    dataset: "cifar-10",
    trainingImages: 20_000,
    oracle: { spec: "examples/cifar-teacher.yaml", epochs: 24, batchSize: 128, learningRate: 0.002, shift: 4 },
    student: { spec: "examples/cifar-sections.yaml", epochs: 16, batchSize: 128, learningRate: 0.002, shift: 4 },
    // 3.0 M weights: 2 % of them with the statistics of batch norm are 127 KB.
    learner: { ...MNIST.learner, fraction: 0.02, rotate: 0 },
    windows: 20,
    samples: 2_000,
    testSamples: 500,
    arms: ARMS,
    schedules: {
      ramp: { kind: "ramp", domain: [NOISE] },
      abrupt: { kind: "abrupt", domain: [CONTRAST], at: 6 },
      recurring: { kind: "recurring", first: [], second: [FOG], periodWindows: 5 },
      "label-shift": { kind: "label-shift", concentration: 0.5, domain: [NOISE] },
      "new-class": { kind: "new-class", classes: [7, 8, 9], at: 6, domain: [] },
      mixture: { kind: "mixture", at: 6, share: 1, domains: [[NOISE], [CONTRAST], [FOG], [PIXELATE]] },
    },
  },
  "drift-quick": {
    ...MNIST,
    name: "drift-quick",
    title: "A student that follows turning digits, in a minute",
    windows: 6,
    samples: 3_000,
    testSamples: 500,
    trainingImages: 8_000,
    oracle: { ...MNIST.oracle, epochs: 4, shift: 0 },
    link: { ...MNIST.link, slots: 15 },
    learner: {
      ...MNIST.learner,
      ...{ steps: 80, below: 0.97, rehearsalShare: 0.4 },
      window: { observations: 20, roundObservations: 10 },
    },
    arms: ["follow"],
    schedules: { ramp: { kind: "ramp", domain: [ROTATION] } },
    faults: { poisoned: 2, broken: 3, cut: { window: 2, from: 4, to: 10 } },
  },
};

/** Every cell wanted, one seed of everything before the next. */
export function driftKeys({ name, schedules, arms }: DriftExperiment, seeds: number): DriftKey[] {
  return Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed) =>
    SCHEDULES.filter((schedule) => schedule in schedules).flatMap((schedule) =>
      arms.map((arm) => ({ experiment: name, schedule, arm, seed })),
    ),
  );
}
