/** Runs the unfinished cells of the drift bench one after another. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { openDataset } from "../../../src/apps/open-dataset.ts";
import { createComputeWorker } from "../../../src/compute/index.ts";
import type { Dataset } from "../../../src/data/index.ts";
import { percent } from "../markdown.ts";
import { say } from "../run-kn.ts";
import { type DriftCell, driftCellFiles } from "./drift-cell.ts";
import { figuresOf } from "./figures.ts";
import { measureCell } from "./open-cell.ts";
import { plotDrift } from "./plot.ts";
import { type DriftExperiment, driftKeys, type DriftKey, QUICK_BOUNDS, SCHEDULES } from "./settings.ts";
import { driftTable } from "./table.ts";

export interface DriftCommandOptions {
  readonly seeds: string;
  readonly schedules?: string;
  readonly arms?: string;
  readonly data?: string;
  /** Folder of the weights of oracles and students. */
  readonly work: string;
  readonly out: string;
  readonly tableOnly: boolean;
}

/** @returns the exit code: 1 when a cell failed. */
export async function reproduceDrift(experiment: DriftExperiment, options: DriftCommandOptions): Promise<number> {
  const files = driftCellFiles(join(options.out, "cells"));
  const seeds = Number(options.seeds);
  const among = (list: string | undefined, name: string): boolean => list?.split(",").includes(name) ?? true;
  const wanted = driftKeys(experiment, seeds).filter(
    ({ schedule, arm }) => among(options.schedules, schedule) && among(options.arms, arm),
  );
  const found = await Promise.all(wanted.map((key) => files.read(key)));
  const missing = wanted.filter((_, index) => found[index] === undefined);
  let failed = 0;
  if (missing.length > 0 && !options.tableOnly) {
    const dataset = await datasetOf(experiment, options);
    await using worker = await createComputeWorker();
    for (const key of missing) {
      say(`${labelOf(key)}: running`);
      try {
        await files.write(await measureCell(experiment, key, { dataset, worker, work: join(options.work, "drift") }));
      } catch (error) {
        failed += 1;
        say(`${labelOf(key)}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  const cells = (await files.all()).filter((cell) => cell.experiment === experiment.name);
  await writeResults(experiment, seeds, cells, options.out);
  return failed === 0 ? 0 : 1;
}

/** `drift-quick`: one schedule, with bounds. @returns 1 when the cell failed or a bound does not hold. */
export async function reproduceDriftQuick(experiment: DriftExperiment, options: DriftCommandOptions): Promise<number> {
  const code = await reproduceDrift(experiment, options);
  const cells = await driftCellFiles(join(options.out, "cells")).all();
  let broken = cells.length === 0 ? 1 : 0;
  const holds = (what: string, isTrue: boolean): void => {
    if (!isTrue) broken += 1;
    say(`${isTrue ? "ok" : "FAILED"}: ${what}`);
  };
  for (const cell of cells) {
    for (const event of cell.events.filter((line) => !line.includes("agrees on"))) say(`  window ${event}`);
    const { recovered, refusals, rollbacks, uploads, labels } = figuresOf(cell);
    holds(
      `${percent(recovered)} of the distance to the oracle recovered, at least ${percent(QUICK_BOUNDS.recovered)}`,
      recovered >= QUICK_BOUNDS.recovered,
    );
    holds(`${refusals} refused, the poisoned candidate among them`, cell.poisonRefused === true);
    holds(`${rollbacks} rolled back: one that was promoted by force`, rollbacks > 0);
    const { roundObservations } = experiment.learner.window;
    holds(
      `${cell.waited ?? 0} observations waited while the link was cut; ${labels} of all ${uploads} were followed`,
      (cell.waited ?? 0) > 0 && uploads - labels < roundObservations,
    );
  }
  return code === 0 && broken === 0 ? 0 : 1;
}

async function writeResults(
  experiment: DriftExperiment,
  seeds: number,
  cells: readonly DriftCell[],
  out: string,
): Promise<void> {
  await mkdir(out, { recursive: true });
  for (const schedule of SCHEDULES) {
    const of = cells.filter((cell) => cell.schedule === schedule);
    if (of.length > 0) await writeFile(join(out, `${schedule}.svg`), await plotDrift(schedule, of));
  }
  const document = join(out, "README.md");
  await writeFile(document, driftTable({ experiment, seeds, cells, plotOf: (schedule) => `${schedule}.svg` }));
  say(`table and plots: ${document}`);
}

/** The networks learn from the first images, the stream is made of the others. */
async function datasetOf(
  { dataset, trainingImages }: DriftExperiment,
  { data }: DriftCommandOptions,
): Promise<Dataset> {
  const directory = data === undefined ? {} : { directory: data };
  const open = (holdout: number): Promise<Dataset> =>
    openDataset({ data: { dataset, holdout }, env: process.env, ...directory });
  const { train } = await open(0);
  return open(train.count - trainingImages);
}

function labelOf({ experiment, schedule, arm, seed }: DriftKey): string {
  return `${experiment}: ${schedule}, ${arm}, seed ${seed}`;
}
