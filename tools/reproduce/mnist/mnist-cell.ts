/** One finished cell of the table: a training run with its setting. */
import { z } from "zod";
import { cellFiles, type CellFiles } from "../cell-files.ts";
import { provenanceSchema } from "../run-kn.ts";

const count = z.int().min(0);

export const cellSchema = z.object({
  format: z.literal(1),
  experiment: z.string(),
  /** Setting beside the source: "plain", "wire", ... */
  variant: z.string(),
  source: z.string(),
  seed: count,
  epochs: z.int().min(1),
  command: z.string(),
  /** Of the last epoch, over the whole test set, 0 to 1. */
  accuracy: z.number().min(0).max(1),
  seconds: z.number().min(0),
  steps: count,
  stepsPerSecond: z.number().min(0),
  evaluations: z.array(
    z.object({ step: count, seconds: z.number(), samples: count, accuracy: z.number(), loss: z.number() }),
  ),
  /** Per block: applied + skipped = published. */
  accounting: z.array(
    z.object({ actor: z.string(), published: count, applied: count, skipped: z.record(z.string(), count) }),
  ),
  /** All boundaries, both ways, predicted gradients included. */
  bytesPerStep: z.number().min(0),
  ...provenanceSchema.shape,
});
export type Cell = z.infer<typeof cellSchema>;

export type CellKey = Pick<Cell, "experiment" | "variant" | "source" | "seed" | "epochs">;

export function cellName({ experiment, variant, source, seed, epochs }: CellKey): string {
  return `${experiment}-${variant}-${source}-seed${seed}-epochs${epochs}`;
}

export function mnistCellFiles(folder: string): CellFiles<CellKey, Cell> {
  return cellFiles(folder, cellSchema, cellName);
}
