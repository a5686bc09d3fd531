/** The spec of a serving job: which model, how many replicas, and the limits of its gateway. */
import { z } from "zod";
import { nameSchema } from "./model-spec.ts";
import { observeSchema } from "./observe-spec.ts";
import { maxFrameSchema, placementSchema, positive } from "./run-parts.ts";

const samples = positive.max(256);

/** Each default has its reason beside it. */
export const servingSpecSchema = z.strictObject({
  kind: z.literal("serving"),
  /** Part of the run's name. */
  name: nameSchema,
  model: nameSchema,
  /** `whole`: each replica computes the network; `blocks`: one replica for each block, a pipeline. */
  mode: z.enum(["whole", "blocks"]).default("whole"),
  /** Replicas of the network, or of each block. */
  replicas: z.int().min(0).max(64).default(1),
  batch: z
    .strictObject({
      /**
       * Samples in one batch and in one request. 32: 393 KB of CIFAR-10 images in f32, below a NATS server's default limit
       * of 1 MiB; beyond it a convolutional network gains less than 10 % in throughput on two cores.
       */
      maxSamples: samples.default(32),
      /** Samples in one batch of bulk requests, behind which an interactive one may have to wait. A quarter of a full one. */
      bulkSamples: samples.default(8),
    })
    .prefault({}),
  latency: z
    .strictObject({
      /** A request that would wait beyond this is refused at once, ms. 100: what a person takes for immediate. */
      targetMs: positive.default(100),
      /**
       * Time in the queue beyond which training on the same machines yields, ms. 10: a tenth of the target, some batches.
       */
      queueTargetMs: positive.default(10),
      /** Time limit of a request that names none, ms. */
      timeoutMs: positive.default(2_000),
      /** The longest that a request may name, ms. */
      maxTimeoutMs: positive.default(60_000),
    })
    .prefault({}),
  /** Samples of one priority that may wait. 1,024: 32 full batches, more than any latency goal leaves time for. */
  maxWaitingSamples: positive.default(1_024),
  /** Absent: inputs are not observed. */
  observe: observeSchema.optional(),
  flow: z.strictObject({ maxFrameMiB: maxFrameSchema }).prefault({}),
  placement: placementSchema,
});
export type ServingSpec = z.infer<typeof servingSpecSchema>;
