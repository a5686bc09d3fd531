/** What a run in this process leaves behind, written after each phase, and shown at its end. */
import { readFile } from "node:fs/promises";
import {
  type DistillationContext,
  type DistillationResults,
  distillationResultsOf,
  phaseResultOf,
} from "../../jobs/distillation-results.ts";
import type { PhaseRunEnd } from "../../jobs/phase-run.ts";
import { resultsOf, type RunResults } from "../../jobs/results.ts";
import { type RunFolder, writeJson } from "../../jobs/run-folder.ts";
import type { RunPhase } from "../../jobs/run-plan.ts";
import { distillationTable } from "./distillation-table.ts";
import { resultsTable } from "./results-table.ts";
import type { Terminal } from "./terminal.ts";

/** How one phase ended. */
export interface PhaseEnd {
  readonly phase: RunPhase;
  readonly end: PhaseRunEnd;
  /** Steps of the phase done before this process took it up. */
  readonly stepsBefore: number;
  /** Of the first batch, ms since 1970. */
  readonly startedMs: number;
}

export type AnyResults = RunResults | DistillationResults;

/** Writes the results so far. Rejects with KN_UNAVAILABLE when it cannot. */
export async function keepResults(
  ends: readonly PhaseEnd[],
  { spec, resultsPath }: RunFolder,
  context: Omit<DistillationContext, "spec">,
): Promise<AnyResults> {
  const last = ends.at(-1);
  if (last === undefined) throw new RangeError("nothing has ended yet");
  const results =
    spec.kind === "training"
      ? resultsOf(last.end, { ...context, ...last, spec })
      : distillationResultsOf(
          ends.map((each) => phaseResultOf(each.end, { ...context, ...each, spec })),
          await phasesBefore(resultsPath),
          { ...context, spec },
        );
  await writeJson(resultsPath, results);
  return results;
}

/** Phases that earlier processes have been through. */
async function phasesBefore(path: string): Promise<DistillationResults["phases"]> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return [];
  try {
    return (JSON.parse(text) as Partial<DistillationResults>).phases ?? [];
  } catch {
    return [];
  }
}

/** @param stoppedAt step at which the run was stopped; undefined: it was not. */
export async function reportFolder(
  folder: RunFolder,
  stoppedAt: number | undefined,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<void> {
  const results = JSON.parse(await readFile(folder.resultsPath, "utf8")) as AnyResults;
  if (json) {
    terminal.write(JSON.stringify({ ...results, folder: folder.path }, undefined, 2));
    return;
  }
  terminal.write("kind" in results ? distillationTable(results) : resultsTable(results));
  terminal.write(`results ${folder.resultsPath}`);
  terminal.write(`checkpoint ${folder.storePath}`);
  if (stoppedAt !== undefined) terminal.write(`stopped at step ${stoppedAt}; go on with: kn resume ${folder.name}`);
}
