/**
 * A distillation run: a teacher cut into sections, a student cut at the same places, every section of the one
 * supervised by its section of the other, then the student as a whole.
 */
import { z } from "zod";
import { BASELINE, COORDINATOR, FEEDER, STUDENT, studentActor, teacherActor } from "./actor-ref.ts";
import { modelSpecSchema, nameSchema } from "./model-spec.ts";
import {
  batchSizeSchema,
  checkpointSchema,
  checkPlacement,
  CODECS,
  dataKeys,
  evaluationSchema,
  maxFrameSchema,
  placementSchema,
  positive,
  scheduleKeys,
  seedSchema,
  windowSchema,
} from "./run-parts.ts";

/** Loss between a section's output and its teacher's; formulas in src/compute/nn/losses. */
export const hintSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("feature-mse"),
    /**
     * `relative`: divided by the batch's mean square of the hint, so that sections with small and large activations
     * learn at one rate; `l2`: both scaled to length 1, sample by sample.
     */
    normalisation: z.enum(["relative", "l2"]).default("relative"),
  }),
  z.strictObject({ kind: z.literal("attention-transfer") }),
]);
export type HintSpec = z.infer<typeof hintSchema>;

/** Loss between the student's logits and the teacher's. */
export const logitsSchema = z.strictObject({
  /** `standardised` (Sun et al. 2024) is the one that the CIFAR-10 figures of docs/results/kt are of. */
  kind: z.enum(["plain", "standardised", "decoupled"]).default("standardised"),
  /** Divides the logits of both, which softens the distributions. 2: the lower end of the usual 2 to 4. */
  temperature: z.number().positive().max(100).default(2),
  /** Weight of this loss. 9: Sun et al. 2024, section 5. */
  weight: z.number().min(0).default(9),
  /** Weight of the classes that are not the target, of `decoupled` (Zhao et al. 2022: 8 on CIFAR). */
  nonTarget: z.number().min(0).default(8),
});
export type LogitsSpec = z.infer<typeof logitsSchema>;

/** Losses of the whole student, and of its last section. */
const taskKeys = {
  /** Weight of the task loss, on the samples that have a label. 0.5: of the CIFAR-10 figures of docs/results/kt. */
  crossEntropy: z.number().min(0).default(0.5),
  logits: logitsSchema.prefault({}),
};

const share = z.number().min(0).max(1);

const sectionsSchema = z.strictObject({
  /** 4 of sections, then 8 end to end: the division that docs/results/kt was measured with. */
  epochs: z.int().min(0).default(4),
  ...scheduleKeys,
  hint: hintSchema.default({ kind: "feature-mse", normalisation: "relative" }),
  ...taskKeys,
  /** Weight of a local classifier beside the hint, in all sections but the last; 0: none. */
  localCrossEntropy: z.number().min(0).default(0),
  /**
   * Share of the samples whose input comes from the student's own section before, not from the teacher's: linear from
   * `from` to `to` over the first `over` of the phase. From 0 (the sections before are untrained) to 1 (as in use),
   * with the last fifth of the phase at 1.
   */
  ownInput: z.strictObject({ from: share.default(0), to: share.default(1), over: share.default(0.8) }).prefault({}),
});
export type SectionsPhaseSpec = z.infer<typeof sectionsSchema>;

const finetuneSchema = z.strictObject({
  /** See `sections.epochs`. */
  epochs: z.int().min(0).default(8),
  ...scheduleKeys,
  ...taskKeys,
  /**
   * Batches that the moving statistics of batch norm are computed from again, before the first step: folding the
   * adapters shifts them. 32 batches of 128 are 4,096 samples.
   */
  recalibrate: z.int().min(0).default(32),
  /** Decay of the mean of the weights that is measured and exported: w' = ema w' + (1 - ema) w. 0: the weights. */
  ema: z.number().min(0).lt(1).default(0),
});
export type FinetunePhaseSpec = z.infer<typeof finetuneSchema>;

const teacherSchema = z.strictObject({
  /** A finished training run, by name or path. */
  run: z.string().min(1).optional(),
  /** A Keras or tfjs `model.json`. */
  file: z.string().min(1).optional(),
  /** Names of the layers after which it is cut. Omitted: where its run was cut. */
  cuts: z.array(nameSchema).optional(),
  /** Its layers; filled in when the run begins. */
  model: modelSpecSchema.optional(),
  /** Replicas of each section, which share the batches. 1: a second one pays off only on a node of its own. */
  replicas: positive.max(16).default(1),
});
export type TeacherSpec = z.infer<typeof teacherSchema>;

export const distillationSpecSchema = z
  .strictObject({
    kind: z.literal("distillation"),
    /** Part of the run's name. */
    name: nameSchema,
    seed: seedSchema,
    data: z.strictObject({
      ...dataKeys,
      /**
       * Only the first n training samples have a label; on the others the student learns from the teacher alone. Their
       * cross-entropy is divided by the whole batch: its effective weight is `crossEntropy` times the labelled share.
       */
      labelled: positive.optional(),
    }),
    teacher: teacherSchema.prefault({}),
    student: z.strictObject({ model: modelSpecSchema }),
    batchSize: batchSizeSchema,
    sections: sectionsSchema.prefault({}),
    finetune: finetuneSchema.prefault({}),
    /** Trains the student alone as well, for comparison: as many steps as all phases together, on the labels only. */
    baseline: z.strictObject(scheduleKeys).optional(),
    codecs: z
      .strictObject({
        /**
         * Hints on the bus and in the cache. Half the bytes of f32; `int8-block` a quarter, with a scale per sample.
         */
        hint: z.enum(CODECS).exclude(["int8-channel"]).default("bf16"),
        /** From one student section to the next. */
        activation: z.enum(CODECS).default("bf16"),
      })
      .prefault({}),
    cache: z
      .strictObject({
        /** Disk for cached hints on each node with a teacher section, MiB; 0: no cache. 8 GiB: of a disk of 32 GB. */
        budgetMiB: z.int().min(0).default(8192),
        /** Omitted: KN_CACHE, or the user's cache folder. */
        directory: z.string().optional(),
      })
      .prefault({}),
    evaluation: evaluationSchema,
    flow: z.strictObject({ window: windowSchema, maxFrameMiB: maxFrameSchema }).prefault({}),
    checkpoint: checkpointSchema,
    placement: placementSchema,
  })
  .superRefine(({ student, teacher, placement, sections, finetune }, context) => {
    if (sections.epochs + finetune.epochs === 0) {
      const message = "at least one phase must have epochs";
      context.addIssue({ code: "custom", path: ["finetune", "epochs"], message, input: 0 });
    }
    const indices = [...student.model.cuts, "last"].map((_, index) => index);
    const teachers = indices.flatMap((index) =>
      Array.from({ length: teacher.replicas }, (_, replica) => teacherActor(index, replica)),
    );
    const students = indices.map((index) => studentActor(index));
    checkPlacement(placement, [FEEDER, COORDINATOR, ...teachers, ...students, STUDENT, BASELINE], context);
  });
export type DistillationSpec = z.infer<typeof distillationSpecSchema>;

/**
 * Share of a section's samples that come from the student's own section before it, at `step` of `totalSteps`, from 1.
 */
export function ownShareAt(
  step: number,
  totalSteps: number,
  { from, to, over }: SectionsPhaseSpec["ownInput"],
): number {
  const progress = over === 0 ? 1 : Math.min(1, (step - 1) / Math.max(1, over * totalSteps));
  return from + (to - from) * progress;
}

/** The phases of a distillation run, in order. */
export const PHASES = ["baseline", "sections", "finetune"] as const;
export type PhaseName = (typeof PHASES)[number];

/** The phases that this run goes through. */
export function phasesOf({ baseline, sections, finetune }: DistillationSpec): PhaseName[] {
  const isWanted: Readonly<Record<PhaseName, boolean>> = {
    baseline: baseline !== undefined,
    sections: sections.epochs > 0,
    finetune: finetune.epochs > 0,
  };
  return PHASES.filter((phase) => isWanted[phase]);
}
