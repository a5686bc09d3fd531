/** The spec of a training run: model, data, gradients, flow, placement. */
import { z } from "zod";
import { blockActor, COORDINATOR, FEEDER, gradientActor } from "./actor-ref.ts";
import { modelSpecSchema, nameSchema } from "./model-spec.ts";
import {
  batchSizeSchema,
  checkpointSchema,
  checkPlacement,
  CODECS,
  dataKeys,
  evaluationSchema,
  maxFrameSchema,
  optimizerSchema,
  placementSchema,
  positive,
  scheduleKeys,
  seedSchema,
  windowSchema,
} from "./run-parts.ts";

/** The ways a block gets the gradient at its output; see src/compute/block/gradient-sources. */
export const GRADIENT_SOURCES = ["locked", "synthetic", "auxiliary", "delayed", "mixed", "auto"] as const;
export type GradientSourceKind = (typeof GRADIENT_SOURCES)[number];

/** Back-pressure of a block that is slower than the ones before it. */
const OVERLOADS = ["wait", "drop"] as const;

const gradientModelKeys = {
  /** Width of M's hidden layer; channels at a convolutional boundary. */
  hidden: positive,
  optimizer: optimizerSchema,
  /** M learns from every n-th gradient that arrives. */
  learnEvery: positive,
};
const gradientModelSchema = z.strictObject({
  /** 256: the width that the reference net was tried with, and that of its own dense layers. */
  hidden: gradientModelKeys.hidden.default(256),
  optimizer: gradientModelKeys.optimizer.default({ kind: "adam", learningRate: 1e-3 }),
  /** 1: every true gradient is used; more saves compute beside a large boundary. */
  learnEvery: gradientModelKeys.learnEvery.default(1),
});
export type GradientModelSpec = z.infer<typeof gradientModelSchema>;

const auxiliarySchema = z.strictObject({
  /**
   * Width of the head's hidden layer; channels of its convolution at a boundary with height and width. 64: the head
   * that the CIFAR-10 trials were made with.
   */
  hidden: positive.default(64),
  optimizer: optimizerSchema.default({ kind: "adam", learningRate: 1e-3 }),
});
export type AuxiliarySpec = z.infer<typeof auxiliarySchema>;

const share = z.number().min(0).max(1);
const mixedSchema = z.strictObject({
  /**
   * Share of the true gradient in each update, the rest is M's prediction; `from` moves to `to` linearly over the run.
   * 0.3: the share that the reference net was tried with.
   */
  trueShare: z.union([share, z.strictObject({ from: share, to: share })]).default(0.3),
});
export type MixedSpec = z.infer<typeof mixedSchema>;

const delayedSchema = z.strictObject({
  /**
   * A gradient that is `age` updates old is applied with (1 + age)^-ageExponent of the learning rate; 0: in full. 0.5:
   * a gradient of one window's age (4) still counts by 45 %.
   */
  ageExponent: z.number().min(0).max(4).default(0.5),
});
export type DelayedSpec = z.infer<typeof delayedSchema>;

const autoSchema = z
  .strictObject({
    /** M takes over above this mean cosine to the true gradient. 0.3: training converged from 0.3 to 0.6 on. */
    enterCosine: z.number().min(-1).max(1).default(0.3),
    /** The auxiliary head takes over again below this. Half of `enterCosine`, so that noise does not switch it. */
    leaveCosine: z.number().min(-1).max(1).default(0.15),
    /** Least steps between two switches; also the updates of M before it is measured. 100: a fifth of MNIST's epoch. */
    dwellSteps: positive.default(100),
  })
  .refine(({ enterCosine, leaveCosine }) => leaveCosine < enterCosine, {
    message: "leaveCosine must be below enterCosine",
  });
export type AutoSpec = z.infer<typeof autoSchema>;

const boundarySchema = z.strictObject({
  source: z.enum(GRADIENT_SOURCES).optional(),
  /** Without defaults: a key that it leaves out is the shared gradient model's. */
  gradientModel: z.strictObject(gradientModelKeys).partial().optional(),
});

export const trainingSpecSchema = z
  .strictObject({
    kind: z.literal("training"),
    /** Part of the run's name. */
    name: nameSchema,
    seed: seedSchema,
    data: z.strictObject(dataKeys),
    model: modelSpecSchema,
    training: z
      .strictObject({
        /** Passes over the training samples. 1: a first run ends soon. */
        epochs: positive.default(1),
        batchSize: batchSizeSchema,
        ...scheduleKeys,
      })
      .prefault({}),
    gradients: z
      .strictObject({
        /** Source at every boundary that `boundaries` does not name. `synthetic`: the subject of this project. */
        source: z.enum(GRADIENT_SOURCES).default("synthetic"),
        gradientModel: gradientModelSchema.prefault({}),
        /** The local classifier of `auxiliary` and `auto`. */
        auxiliary: auxiliarySchema.prefault({}),
        delayed: delayedSchema.prefault({}),
        mixed: mixedSchema.prefault({}),
        auto: autoSchema.prefault({}),
        /** Exceptions, by the name of the layer before the cut. */
        boundaries: z.record(nameSchema, boundarySchema).default({}),
        /**
         * Batches that a block or a gradient model retains until their gradient arrives; the oldest is given up beyond
         * it (`unanswered`). 16: four blocks with a window of 4 batches each may be between a batch and its gradient.
         */
        retain: positive.max(1024).default(16),
        /** Memory of the retained batches per block, MiB. 512: a quarter of an edge machine of 2 GiB. */
        retainMiB: positive.default(512),
      })
      .prefault({}),
    codecs: z
      .strictObject({
        /** A quarter of the bytes of f32, at the same accuracy on the reference net (docs/results/bench.md). */
        activation: z.enum(CODECS).default("int8-channel"),
        /** Half the bytes of f32; the more careful of the two that reach its accuracy (docs/results/bench.md). */
        gradient: z.enum(CODECS).default("bf16"),
      })
      .prefault({}),
    evaluation: evaluationSchema,
    flow: z
      .strictObject({
        window: windowSchema,
        maxFrameMiB: maxFrameSchema,
        /**
         * `wait`: the feeder follows the slowest block, no batch is skipped; `drop`: faster blocks continue, a slower
         * one takes the newest batch, and each skipped one is counted. The default loses no data.
         */
        overload: z.enum(OVERLOADS).default("wait"),
      })
      .prefault({}),
    checkpoint: checkpointSchema,
    /** A gradient model that it leaves out is beside its block. */
    placement: placementSchema,
  })
  .superRefine(({ model, gradients, flow, placement }, context) => {
    const sources = [gradients.source, ...Object.values(gradients.boundaries).map(({ source }) => source)];
    if (flow.overload === "drop" && sources.includes("locked")) {
      const message = "`drop` needs sources that do not wait: a locked block would wait for a batch that was dropped";
      context.addIssue({ code: "custom", path: ["flow", "overload"], message, input: flow.overload });
    }
    const pairs = model.cuts.flatMap((_, index) => [blockActor(index + 1), gradientActor(index)]);
    checkPlacement(placement, [FEEDER, COORDINATOR, blockActor(0), ...pairs], context);
    for (const name of Object.keys(gradients.boundaries)) {
      if (model.cuts.includes(name)) continue;
      const message = `must name a cut (${model.cuts.join(", ")})`;
      context.addIssue({ code: "custom", path: ["gradients", "boundaries", name], message, input: name });
    }
  });
export type TrainingSpec = z.infer<typeof trainingSpecSchema>;

/** One boundary, with the defaults of the spec filled in. */
export interface BoundarySpec {
  /** Index b: between block b and block b + 1. */
  readonly index: number;
  /** Name of the layer before the cut. */
  readonly name: string;
  readonly source: GradientSourceKind;
  readonly gradientModel: GradientModelSpec;
}

/** The boundaries of a run, first to last. */
export function boundariesOf(spec: TrainingSpec): BoundarySpec[] {
  return spec.model.cuts.map((name, index) => {
    const own = spec.gradients.boundaries[name];
    const overrides = Object.fromEntries(
      Object.entries(own?.gradientModel ?? {}).filter(([, value]) => value !== undefined),
    );
    return {
      index,
      name,
      source: own?.source ?? spec.gradients.source,
      gradientModel: { ...spec.gradients.gradientModel, ...overrides },
    };
  });
}
