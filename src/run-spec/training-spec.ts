/** One experiment: what is trained, on which data, how, and how it is spread. One YAML file, one `kind`. */
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

/** How a block gets the gradient at its output (src/compute/block/gradient-sources says what each does). */
export const GRADIENT_SOURCES = ["locked", "synthetic", "auxiliary", "delayed", "mixed", "auto"] as const;
export type GradientSourceKind = (typeof GRADIENT_SOURCES)[number];

/** What becomes of batches when a block is slower than the ones before it. */
const OVERLOADS = ["wait", "drop"] as const;

const gradientModelKeys = {
  /** Width of M's hidden layer; channels at a convolutional boundary. */
  hidden: positive,
  optimizer: optimizerSchema,
  /** M learns from every n-th gradient that arrives. */
  learnEvery: positive,
};
const gradientModelSchema = z.strictObject({
  hidden: gradientModelKeys.hidden.default(256), // recipes: 256 for the four-layer net
  optimizer: gradientModelKeys.optimizer.default({ kind: "adam", learningRate: 1e-3 }),
  learnEvery: gradientModelKeys.learnEvery.default(1),
});
export type GradientModelSpec = z.infer<typeof gradientModelSchema>;

const auxiliarySchema = z.strictObject({
  /** Width of the head's hidden layer; channels of its convolution at a boundary with height and width. */
  hidden: positive.default(64), // recipes: conv 64
  optimizer: optimizerSchema.default({ kind: "adam", learningRate: 1e-3 }),
});
export type AuxiliarySpec = z.infer<typeof auxiliarySchema>;

const share = z.number().min(0).max(1);
const mixedSchema = z.strictObject({
  /** Share of the true gradient in each update, the rest is M's; `from` moves to `to` in a line over the run. */
  trueShare: z.union([share, z.strictObject({ from: share, to: share })]).default(0.3), // recipes: 0.3
});
export type MixedSpec = z.infer<typeof mixedSchema>;

const delayedSchema = z.strictObject({
  /** A gradient that is `age` updates old moves the weights by (1 + age)^-ageExponent of the learning rate; 0: in full. */
  ageExponent: z.number().min(0).max(4).default(0.5),
});
export type DelayedSpec = z.infer<typeof delayedSchema>;

const autoSchema = z
  .strictObject({
    /** M takes over when its mean cosine to the true gradient is above this ... */
    enterCosine: z.number().min(-1).max(1).default(0.3), // recipes: 0.3 to 0.6 is enough
    /** ... and hands back to the auxiliary head below this. */
    leaveCosine: z.number().min(-1).max(1).default(0.15),
    /** Steps between two switches, at least; also M's updates before it is judged. */
    dwellSteps: positive.default(100),
  })
  .refine(({ enterCosine, leaveCosine }) => leaveCosine < enterCosine, {
    message: "leaveCosine must be below enterCosine",
  });
export type AutoSpec = z.infer<typeof autoSchema>;

const boundarySchema = z.strictObject({
  source: z.enum(GRADIENT_SOURCES).optional(),
  /** Without defaults: what it leaves out is the shared gradient model's. */
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
        epochs: positive.default(1),
        batchSize: batchSizeSchema,
        ...scheduleKeys,
      })
      .prefault({}),
    gradients: z
      .strictObject({
        /** Source at every boundary that `boundaries` does not name. */
        source: z.enum(GRADIENT_SOURCES).default("synthetic"),
        gradientModel: gradientModelSchema.prefault({}),
        /** The local classifier of `auxiliary` and `auto`. */
        auxiliary: auxiliarySchema.prefault({}),
        delayed: delayedSchema.prefault({}),
        mixed: mixedSchema.prefault({}),
        auto: autoSchema.prefault({}),
        /** Exceptions, by the name of the layer before the cut. */
        boundaries: z.record(nameSchema, boundarySchema).default({}),
        /** Batches that a block or a gradient model keeps while their gradient is on its way. */
        retain: positive.max(1024).default(16),
        /** Memory for them per block, MiB. */
        retainMiB: positive.default(512),
      })
      .prefault({}),
    codecs: z
      .strictObject({
        activation: z.enum(CODECS).default("int8-channel"),
        gradient: z.enum(CODECS).default("bf16"),
      })
      .prefault({}),
    evaluation: evaluationSchema,
    flow: z
      .strictObject({
        window: windowSchema,
        maxFrameMiB: maxFrameSchema,
        /** `wait`: nothing is skipped; `drop`: the fast go on, the slow take the newest, each skip is counted. */
        overload: z.enum(OVERLOADS).default("wait"),
      })
      .prefault({}),
    checkpoint: checkpointSchema,
    /** What it leaves out is spread by the nodes' speed, a gradient model beside its block. */
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

/** Everything about one boundary, with the defaults of the spec filled in. */
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
