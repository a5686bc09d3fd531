/** Result of one arm on one stream: what was served in each window, and what it cost. */
import { z } from "zod";
import { cellFiles, type CellFiles } from "../cell-files.ts";
import { provenanceSchema } from "../run-kn.ts";
import { ARMS, type DriftKey, SCHEDULES } from "./settings.ts";

const share = z.number().min(0).max(1);
const count = z.int().min(0);

/** A decision about a candidate that the edge computed, and what is true. */
const decisionSchema = z.object({
  verdict: z.enum(["promote", "refuse"]),
  /** Of the labels that it was made with. */
  labels: count,
  /** By how much the candidate is better than what was served, on the window's test images. */
  truth: z.number().min(-1).max(1),
});

const windowSchema = z.object({
  /** On the window's test images, each answered by what was served at its time: before the updates that followed. */
  accuracy: share,
  /** On all of them, by what was served when the window began, and when it ended. */
  start: share,
  end: share,
  oracle: share,
  frozen: share,
  /** On the test images of window 0, by what was served at the end of this window. */
  windowZero: share,
  uploads: count,
  uploadBytes: count,
  /** That the oracle was asked for. */
  labels: count,
  /** Bytes of each update that the edge received. */
  updates: z.array(z.object({ kind: z.string(), bytes: count })),
  /** To the edge in all: updates, and candidates that were to compute there. A promoted candidate is sent once. */
  sentBytes: count,
  promotions: count,
  refusals: count,
  rollbacks: count,
  decisions: z.array(decisionSchema),
});
export type WindowFigures = z.infer<typeof windowSchema>;

export const driftCellSchema = z.object({
  format: z.literal(1),
  experiment: z.string(),
  schedule: z.enum(SCHEDULES),
  arm: z.enum(ARMS),
  seed: z.int(),
  /** Live images of a window. */
  samples: count,
  /** On the test images of window 0, by the student as it was trained. */
  windowZeroStart: share,
  windows: z.array(windowSchema),
  /** Where one candidate was poisoned: whether the gate refused it. */
  poisonRefused: z.boolean().optional(),
  /** Where the link was cut: observations that waited. */
  waited: count.optional(),
  /** Decisions as one line each. */
  events: z.array(z.string()),
  seconds: z.number().min(0),
  ...provenanceSchema.shape,
});
export type DriftCell = z.infer<typeof driftCellSchema>;

export function driftCellFiles(folder: string): CellFiles<DriftKey, DriftCell> {
  return cellFiles<DriftKey, DriftCell>(
    folder,
    driftCellSchema,
    ({ experiment, schedule, arm, seed }) => `${experiment}-${schedule}-${arm}-seed${seed}`,
  );
}
