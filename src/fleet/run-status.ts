/**
 * Progress of a run, written by its controller every second: a summary of fixed size. The whole history (evaluations,
 * switches of gradient sources, changes of the teacher) is appended to a log, run-history.ts.
 */
import { z } from "zod";
import type { RunRecord } from "../actors/coordinator/index.ts";
import type { KeyValue } from "../runtime/store/index.ts";
import { recordsOf, type Records } from "./record-bucket.ts";
import { phaseNameSchema } from "./records.ts";

/** Newest entries of each list in a status. */
export const LISTED = 16;

const count = z.int().min(0);
const progressSchema = z.object({
  kind: z.literal("Progress"),
  consumed: count,
  applied: count,
  loss: z.number().optional(),
  stalenessSteps: count,
  quality: z.object({ cosine: z.number(), relativeError: z.number(), updates: count }).optional(),
  computeMs: z.number(),
  receivedBytes: count,
  drops: z.record(z.string(), count),
  skipped: z.record(z.string(), count),
  pending: count,
  sentBytes: z.record(z.string(), count),
  step: count,
  hintLoss: z.number().optional(),
  cache: z.record(z.string(), count).optional(),
});
export const evaluationSchema = z.object({
  evaluation: count,
  step: count,
  samples: count,
  accuracy: z.number(),
  loss: z.number(),
  agreement: z.number().optional(),
  teacherAccuracy: z.number().optional(),
  atMs: z.number(),
});
export const switchSchema = z.object({
  actor: z.string(),
  step: count,
  from: z.string(),
  to: z.string(),
  reason: z.string(),
});
export const teacherChangeSchema = z.object({ actor: z.string(), step: count, from: count, to: count });

const summarySchema = z.object({
  /** The newest of each, oldest first. */
  evaluations: z.array(evaluationSchema).max(LISTED),
  switches: z.array(switchSchema).max(LISTED),
  teachers: z.array(teacherChangeSchema).max(LISTED),
  /** All of this phase, listed or not. */
  counts: z.object({ evaluations: count, switches: count, teachers: count }),
  /** Evaluation with the highest accuracy. */
  best: evaluationSchema.optional(),
  progress: z.record(z.string(), progressSchema),
  epochs: count,
  step: count,
  generation: count,
});
export type RunSummary = z.infer<typeof summarySchema>;

const runStatusSchema = z.object({
  format: z.literal(2),
  run: z.string(),
  attempt: z.int().min(1),
  /** Fencing token of the controller that wrote it; 0: written without one. */
  fence: count,
  phase: phaseNameSchema,
  /** Phases that are complete. */
  done: z.array(z.object({ phase: phaseNameSchema, seconds: z.number().min(0), record: summarySchema })),
  /** State of the coordinator. */
  state: z.string(),
  /** State of run control: "coordinating.moving". */
  control: z.string(),
  /** Written before the run's state was restored: it holds only the failure that blocks the run. */
  isProvisional: z.boolean().optional(),
  outcome: z.enum(["completed", "stopped", "failed"]).optional(),
  /** Why it failed, and its error code. */
  error: z.string().optional(),
  code: z.string().optional(),
  /** Failure that blocks the run while it has no outcome. */
  problem: z.string().optional(),
  /** Node of the coordinator. */
  coordinator: z.string(),
  /** Training steps published to the first block. */
  published: count,
  record: summarySchema,
  /** Since the first batch of this attempt, s. */
  seconds: z.number().min(0),
  startedAt: z.string(),
  updatedAt: z.string(),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

export const statusRecords = (kv: KeyValue): Records<RunStatus> => recordsOf(kv, runStatusSchema);

export const EMPTY_SUMMARY: RunSummary = {
  evaluations: [],
  switches: [],
  teachers: [],
  counts: { evaluations: 0, switches: 0, teachers: 0 },
  progress: {},
  epochs: 0,
  step: 0,
  generation: 0,
};

/** @param base summary with which the record began: the record holds its listed entries, not its counts */
export function summaryOf(record: RunRecord, base: RunSummary): RunSummary {
  const { evaluations, switches, teachers, progress, epochs, step, generation } = record;
  const total = (key: keyof RunSummary["counts"]): number => base.counts[key] - base[key].length + record[key].length;
  const [best] = [...(base.best === undefined ? [] : [base.best]), ...evaluations].sort(
    (a, b) => b.accuracy - a.accuracy,
  );
  return {
    evaluations: evaluations.slice(-LISTED),
    switches: switches.slice(-LISTED),
    teachers: teachers.slice(-LISTED),
    counts: { evaluations: total("evaluations"), switches: total("switches"), teachers: total("teachers") },
    ...(best === undefined ? {} : { best }),
    progress: progress,
    epochs,
    step,
    generation,
  };
}

/** The newest evaluations of all phases. */
export function evaluationsOf({ done, record }: RunStatus): RunSummary["evaluations"] {
  return [...done.map((each) => each.record), record].flatMap(({ evaluations }) => evaluations);
}
