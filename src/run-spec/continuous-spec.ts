/** The spec of a continuous job: a student that is served, an oracle that labels what it sees, and the loop between them. */
import { z } from "zod";
import { hintSchema, logitsSchema } from "./distillation-spec.ts";
import { nameSchema } from "./model-spec.ts";
import { observeSchema } from "./observe-spec.ts";
import { parseYaml } from "./parse-yaml.ts";
import type { ParseSpecOptions } from "./parse-spec.ts";
import { dataKeys, placementSchema, positive, rotateSchema, scheduleKeys, seedSchema } from "./run-parts.ts";

const share = z.number().min(0).max(1);

const oracleSchema = z.strictObject({
  /** A published model with the classes and the input of the student; its live release labels. */
  model: nameSchema,
  /** `blocks`: its sections in a pipeline, one replica each; `whole`: one replica computes all of it. */
  mode: z.enum(["whole", "blocks"]).default("blocks"),
  replicas: positive.max(64).default(1),
});

const windowSchema = z
  .strictObject({
    /**
     * Observations of one window: it ends with the watch over the live release, and with training. 30: a new candidate may
     * begin three times in 100 observations, of which a decision takes some 50.
     */
    observations: positive.max(100_000).default(30),
    /** Judged together; a candidate is promoted or refused after each so many. Must divide a window. */
    roundObservations: positive.max(10_000).default(10),
  })
  .prefault({})
  .refine(({ observations, roundObservations }) => observations % roundObservations === 0, {
    message: "must divide window.observations",
    path: ["roundObservations"],
  });

const trainingSchema = z
  .strictObject({
    ...scheduleKeys,
    /** Of one candidate. 300: with 100 the turning digits of docs/results/drift stay a point further behind. */
    steps: positive.max(100_000).default(300),
    batchSize: positive.max(1_024).default(64),
    /** Share of a batch from before the stream; only with an anchor. Below 0.3 candidates forget more than the gate allows. */
    rehearsalShare: share.default(0.35),
    /** Largest shift of images of bytes, pixels: each step shows them as other views. 2: of digits; no flips. */
    shift: z.int().min(0).max(32).default(2),
    /** Images of bytes are turned as well, degrees to either side. Default none: a turned image is another one for most data. */
    rotate: rotateSchema,
    /** Samples of the stream that are trained on again: half the last windows, half of all before. */
    replay: z.int().min(250).max(2_000).default(1_000),
    /**
     * Before it trains as a whole: the student's sections train side by side, each by the activations of the oracle's section.
     * Its boundaries must have the oracle's shapes, and the oracle must be served by blocks. Omitted: as a whole only.
     */
    sections: z
      .strictObject({
        steps: positive.max(100_000).default(100),
        hint: hintSchema.default({ kind: "feature-mse", normalisation: "relative" }),
      })
      .optional(),
    /** Windows whose samples count as the last. 8 of 30 observations: with 2 a candidate knows its 60 newest by heart. */
    recentWindows: positive.max(1_000).default(8),
    /** Share of the steps that a trial without a mask has, which chooses the mask. */
    probeShare: z.number().gt(0).max(1).default(0.2),
    /** Trains when the student agrees with the oracle on less than this share of a window's observations. */
    below: share.default(1),
    /** With new statistics of batch norm alone it must agree on this share of a window: else it is trained. */
    enough: share.default(0.98),
    /** Weight of the oracle's answer as a label, beside its logits. */
    crossEntropy: z.number().min(0).default(0.5),
    logits: logitsSchema.prefault({}),
  })
  .prefault({});

const updateSchema = z
  .strictObject({
    /** Share of the weights that an update sets; 1: all of them. */
    fraction: z.number().gt(0).max(1).default(0.02),
    codec: z.enum(["f32", "int8", "int4"]).default("int8"),
    /** Updates between two full ones. */
    anchorEvery: positive.default(20),
    /** An update has at most so many bytes, of a smaller share if need be. 160 KB: a minute of a link of 21 kbit/s. */
    maxBytes: positive.default(160_000),
  })
  .prefault({});

const gateSchema = z
  .strictObject({
    alpha: z.number().gt(0).lt(1).default(0.01),
    harmAlpha: z.number().gt(0).lt(1).default(0.05),
    minimumEffect: share.default(0.005),
    labelBudget: positive.default(100),
    uniformLabels: z.int().min(0).default(10),
    /** Windows of a decision. 4 of 30 observations: with more, one weak candidate blocks the better ones after it. */
    windowBudget: positive.default(4),
    forgetting: share.default(0.02),
    recallFloor: share.default(0.5),
    recallDrop: share.default(0.1),
    recallAlpha: z.number().gt(0).lt(1).default(0.01),
    latencyRatio: z.number().min(1).default(1.2),
  })
  .prefault({});

/** Inputs of the time before the stream. */
const anchorSchema = z.strictObject({
  dataset: dataKeys.dataset,
  directory: dataKeys.directory,
  /** Of the test set: what must not be forgotten. 1,000: a standard error of half a point. */
  images: positive.max(10_000).default(1_000),
  /** Of the training set: rehearsed. */
  rehearsal: positive.max(10_000).default(1_000),
});

/** Of `oracle` and `student`, of a section (`oracle-1`), or of a copy of it (`oracle-1-2`). */
const SERVED = /^(oracle|student)(-\d+){0,2}$/;

const servedPlacementSchema = placementSchema.superRefine((placement, context) => {
  for (const served of Object.keys(placement)) {
    if (SERVED.test(served)) continue;
    const message = "must name oracle, student, or a section of one, like oracle-0";
    context.addIssue({ code: "custom", path: [served], message, input: served });
  }
});

const specSchema = z.strictObject({
  kind: z.literal("continuous"),
  /** Part of the run's name. */
  name: nameSchema,
  seed: seedSchema,
  oracle: oracleSchema,
  student: z.strictObject({
    /** A published model; its live release is where it begins. */
    model: nameSchema,
    /** Of what is observed; bytes only where all values are whole. @default bytes for a network of images */
    input: z.enum(["u8", "f32"]).optional(),
    /** Share of the requests that a candidate computes beside the live release. 100: a decision takes the fewest windows. */
    shadowPercent: z.number().gt(0).max(100).default(100),
  }),
  /** The edge: what is uploaded of its inputs. */
  observe: observeSchema.prefault({}),
  window: windowSchema,
  training: trainingSchema,
  update: updateSchema,
  gate: gateSchema,
  /**
   * What a candidate is judged on: `edge`: it computes beside the live release there, and their disagreements are observed;
   * `uniform`: the uniform observations, for devices without room for two releases.
   */
  evidence: z.enum(["edge", "uniform"]).default("edge"),
  /** Chance of a rollback without reason, for as long as a release is live. */
  watch: z.strictObject({ alpha: z.number().gt(0).lt(1).default(0.01) }).prefault({}),
  /** Omitted: what window 0 shows is not to be forgotten, and nothing is rehearsed. */
  anchor: anchorSchema.optional(),
  /** On nodes: where the replicas are. */
  placement: servedPlacementSchema,
});

export const continuousSpecSchema = specSchema
  .refine(({ student, oracle }) => student.model !== oracle.model, {
    message: "must be another model than oracle.model",
    path: ["student", "model"],
  })
  .refine(({ training, oracle }) => training.sections === undefined || oracle.mode === "blocks", {
    message: "need oracle.mode blocks: one that is computed as a whole has no sections",
    path: ["training", "sections"],
  });
export type ContinuousSpec = z.infer<typeof continuousSpecSchema>;

/** Whether a text is the spec of a continuous job, well-formed or not. */
export function isContinuousSpec(text: string): boolean {
  return /^kind:\s*continuous\s*(#.*)?$/m.test(text);
}

/** @throws KnowledgeNetError KN_CONFIG for text that is not YAML, unknown keys, and values that break a rule. */
export function parseContinuousSpec(text: string, options: ParseSpecOptions): ContinuousSpec {
  return parseYaml(text, () => continuousSpecSchema, { ...options, what: "the spec of a continuous run" });
}
