/** One finished cell of an experiment: a run with its setting, as a JSON file of its own, so that none is run twice. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { writeJson } from "../run/run-folder.ts";

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
  machine: z.object({ cpus: count, model: z.string(), memoryGiB: z.number() }),
  versions: z.record(z.string(), z.string()),
  finishedAt: z.string(),
});
export type Cell = z.infer<typeof cellSchema>;

export type CellKey = Pick<Cell, "experiment" | "variant" | "source" | "seed" | "epochs">;

/** Name of the cell's file. */
export function cellName({ experiment, variant, source, seed, epochs }: CellKey): string {
  return `${experiment}-${variant}-${source}-seed${seed}-epochs${epochs}.json`;
}

/** @returns undefined when it is not finished. Rejects with KN_CONFIG when its file is damaged. */
export async function readCell(folder: string, key: CellKey): Promise<Cell | undefined> {
  const text = await readFile(join(folder, cellName(key)), "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseCell(join(folder, cellName(key)), text);
}

/** Every cell in `folder`, by name. Rejects with KN_CONFIG when one is damaged. */
export async function readCells(folder: string): Promise<Cell[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(
    names.map(async (name) => parseCell(join(folder, name), await readFile(join(folder, name), "utf8"))),
  );
}

export async function writeCell(folder: string, cell: Cell): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeJson(join(folder, cellName(cell)), cell);
}

function parseCell(file: string, text: string): Cell {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    value = error;
  }
  const parsed = cellSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `read the cell ${file}`,
    rule: "it must be what this program wrote",
    value: value instanceof Error ? value.message : `${issue?.path.join(".")}: ${issue?.message}`,
    remedy: "delete it: the cell is run again",
  });
}
