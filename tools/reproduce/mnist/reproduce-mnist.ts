/**
 * Runs the cells of the table that are not finished, one after another; writes the table and the plots from all that
 * are.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { provenance, runKn, say } from "../run-kn.ts";
import { type Cell, type CellKey, cellName, cellSchema, mnistCellFiles } from "./mnist-cell.ts";
import { plotAccuracy } from "./plot.ts";
import { MNIST_INTRODUCTION, MNIST_SOURCES, mnistArguments, mnistCells, type MnistVariant, PAPER } from "./settings.ts";
import { markdownTable } from "./table.ts";

export interface MnistCommandOptions {
  readonly seeds: string;
  readonly epochs: string;
  readonly sources: string;
  readonly out: string;
  readonly tableOnly: boolean;
}

/** @returns the exit code. */
export async function reproduceMnist(options: MnistCommandOptions): Promise<number> {
  const [seeds, epochs] = [Number(options.seeds), Number(options.epochs)];
  const sources = options.sources.split(",");
  const unknown = sources.filter((source) => !MNIST_SOURCES.includes(source));
  if (unknown.length > 0 || !(seeds >= 1) || !(epochs >= 1)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "reproduce the table",
      rule: `--sources must be of ${MNIST_SOURCES.join(", ")}, --seeds and --epochs at least 1`,
      value: `${options.sources}, ${options.seeds}, ${options.epochs}`,
    });
  }
  const files = mnistCellFiles(join(options.out, "cells"));
  const wanted = mnistCells({ seeds, epochs, sources });
  let failed = 0;
  for (const key of options.tableOnly ? [] : wanted) {
    if ((await files.read(key)) !== undefined) continue;
    say(`${cellName(key)}: running`);
    try {
      const cell = await runCell(key);
      await files.write(cell);
      say(`${cellName(key)}: ${(100 * cell.accuracy).toFixed(2)} % in ${cell.seconds.toFixed(0)} s`);
    } catch (error) {
      failed += 1;
      say(`${cellName(key)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const document = await writeMnistResults(options.out, wanted, await files.all());
  say(`table and plots: ${document}`);
  return failed === 0 ? 0 : 1;
}

/** @returns the path of the table. */
async function writeMnistResults(out: string, wanted: readonly CellKey[], cells: readonly Cell[]): Promise<string> {
  await mkdir(out, { recursive: true });
  const plots: { path: string; caption: string }[] = [];
  const plain = cells.filter(({ variant }) => variant === "plain");
  if (plain.length > 0) {
    for (const against of ["steps", "minutes"] as const) {
      const title = `MNIST, four blocks in four processes: accuracy against ${against}`;
      const path = `accuracy-${against}.svg`;
      await writeFile(join(out, path), await plotAccuracy({ title, cells: plain, against, references: PAPER }));
      plots.push({
        path,
        caption: `${title}: f32 codecs, mean over the seeds that are done, each epoch's end; below 97 % left out.`,
      });
    }
  }
  const document = join(out, "README.md");
  await writeFile(
    document,
    markdownTable({
      title: "MNIST: each gradient source, four blocks in four processes over NATS",
      introduction: MNIST_INTRODUCTION,
      wanted,
      cells,
      baseline: "locked",
      references: PAPER.map(({ name, accuracy }) => ({ name, accuracy, note: "500,000 steps" })),
      plots,
    }),
  );
  return document;
}

/** The part of `kn run --json`'s output that a cell needs. */
const outputSchema = z.object({
  outcome: z.literal("completed"),
  accuracy: z.number(),
  seconds: z.number(),
  steps: z.int(),
  stepsPerSecond: z.number(),
  evaluations: cellSchema.shape.evaluations,
  blocks: z.array(
    z.object({ id: z.string(), published: z.int(), applied: z.int(), skipped: z.record(z.string(), z.int()) }),
  ),
  boundaries: z.array(
    z.object({
      activationBytesPerStep: z.number(),
      gradientBytesPerStep: z.number(),
      syntheticBytesPerStep: z.number(),
    }),
  ),
});

/** Rejects when the run fails, or its account does not close. */
async function runCell(key: CellKey & { readonly variant: MnistVariant }): Promise<Cell> {
  const args = mnistArguments(key);
  const work = await mkdtemp(join(tmpdir(), "knowledgenet-cell-"));
  try {
    const output = outputSchema.parse(JSON.parse(await runKn([...args, "--json", "--runs", work])));
    const accounting = output.blocks.map(({ id, published, applied, skipped }) => ({
      actor: id,
      published,
      applied,
      skipped,
    }));
    for (const { actor, published, applied, skipped } of accounting) {
      const accounted = applied + Object.values(skipped).reduce((sum, each) => sum + each, 0);
      if (accounted === published) continue;
      throw new KnowledgeNetError("KN_INVARIANT", {
        attempt: `close the account of ${actor}`,
        rule: "applied + skipped must be what was published",
        value: `${accounted} of ${published}`,
      });
    }
    const bytes = output.boundaries.map(
      (each) => each.activationBytesPerStep + each.gradientBytesPerStep + each.syntheticBytesPerStep,
    );
    const { accuracy, seconds, steps, stepsPerSecond, evaluations } = output;
    return {
      format: 1,
      ...key,
      command: `npx kn ${args.join(" ")}`,
      accuracy,
      seconds,
      steps,
      stepsPerSecond,
      evaluations,
      accounting,
      bytesPerStep: bytes.reduce((sum, each) => sum + each, 0),
      ...(await provenance()),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
