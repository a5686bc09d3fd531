/** Preparation of every run, with all checks that can refuse it: done once, before anything is created. */
import type { Dataset } from "../../data/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { checkDataset, describeSlices } from "../../jobs/describe-slices.ts";
import { openDataset } from "../open-dataset.ts";
import { phasesOfRun, planOf, type RunSlices } from "../../jobs/run-plan.ts";

export interface PrepareOptions {
  readonly spec: RunSpec;
  /** Folder of the data from the command line. */
  readonly data: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export interface PreparedRun extends RunSlices {
  readonly dataset: Dataset;
}

/**
 * Rejects with KN_CONFIG when the data are absent, do not suit the model or are too few for a phase, KN_SHAPE when the
 * model's layers do not fit.
 */
export async function prepareRun({ spec, data, env }: PrepareOptions): Promise<PreparedRun> {
  const dataset = await openDataset({ data: spec.data, env, ...(data === undefined ? {} : { directory: data }) });
  checkDataset(spec, dataset);
  for (const phase of phasesOfRun(spec)) planOf(spec, dataset, phase);
  return { dataset, ...(await describeSlices(spec)) };
}
