/** Writes results.json after each phase, and shows it at the end of a run. */
import { readFile } from "node:fs/promises";
import type { JobResults, ResultsContext } from "../../jobs/job-kind.ts";
import { jobKindOf } from "../../jobs/kinds/index.ts";
import { type RunFolder, writeJson } from "../../jobs/run-folder.ts";
import type { PhaseEnd } from "../../jobs/run-parts.ts";
import type { Terminal } from "./terminal.ts";
import { drawText } from "./text-table.ts";

export type { PhaseEnd } from "../../jobs/run-parts.ts";

/** Writes the results so far. Rejects with KN_UNAVAILABLE when the file cannot be written. */
export async function keepResults(
  ends: readonly PhaseEnd[],
  { spec, resultsPath }: RunFolder,
  context: Omit<ResultsContext, "spec">,
): Promise<JobResults> {
  const results = jobKindOf(spec).results(ends, await resultsBefore(resultsPath), { ...context, spec });
  await writeJson(resultsPath, results);
  return results;
}

/** Results of earlier processes of the run; undefined: none is readable. */
async function resultsBefore(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param stoppedAt step at which the run was stopped; undefined: it was not. */
export async function reportFolder(
  folder: RunFolder,
  stoppedAt: number | undefined,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<void> {
  const results = JSON.parse(await readFile(folder.resultsPath, "utf8")) as JobResults;
  if (json) {
    terminal.write(JSON.stringify({ ...results, folder: folder.path }, undefined, 2));
    return;
  }
  terminal.write(drawText(jobKindOf(folder.spec).view.results(results)));
  terminal.write(`results ${folder.resultsPath}`);
  terminal.write(`checkpoint ${folder.storePath}`);
  if (stoppedAt !== undefined) terminal.write(`stopped at step ${stoppedAt}; resume it: kn resume ${folder.name}`);
}
