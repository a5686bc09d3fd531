/** Result of a finished run of the comparison: a figure per trained arm. */
import { z } from "zod";
import { cellFiles, type CellFiles } from "../cell-files.ts";
import { provenanceSchema } from "../run-kn.ts";
import type { TransferKey } from "./settings.ts";

const share = z.number().min(0).max(1);
const size = z.object({ parameters: z.int(), macs: z.int() });

const armSchema = z.object({
  name: z.enum(["teacher", "alone", "logits", "sections", "transfer"]),
  /** Of the last epoch, 0 to 1. */
  heldOut: share,
  /** On the test file; absent where the arm is not one whole network. */
  test: share.optional(),
  seconds: z.number().min(0),
  steps: z.int().min(0),
});
export type Arm = z.infer<typeof armSchema>;

export const transferCellSchema = z.object({
  format: z.literal(1),
  experiment: z.string(),
  setting: z.enum(["all", "few"]),
  run: z.enum(["teacher", "logits", "transfer"]),
  seed: z.int(),
  command: z.string(),
  /** Of a student's run. */
  sizes: z.object({ student: size, teacher: size }).optional(),
  arms: z.array(armSchema),
  /** Samples that the teacher sections computed, and served from the cache. */
  batches: z.object({ computed: z.int(), kept: z.int() }),
  ...provenanceSchema.shape,
});
export type TransferCell = z.infer<typeof transferCellSchema>;

export function transferCellFiles(folder: string): CellFiles<TransferKey, TransferCell> {
  return cellFiles<TransferKey, TransferCell>(
    folder,
    transferCellSchema,
    ({ experiment, setting, run, seed }) => `${experiment}-${setting}-${run}-seed${seed}`,
  );
}
