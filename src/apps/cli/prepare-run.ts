/** What every run needs before it begins: its data, and what its models look like once they are cut. */
import type { Dataset } from "../../data/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { checkDataset, describeSlices } from "../../jobs/describe-slices.ts";
import { openDataset } from "../open-dataset.ts";
import type { RunSlices } from "../../jobs/run-plan.ts";

export interface PrepareOptions {
  readonly spec: RunSpec;
  /** Folder of the data from the command line. */
  readonly data: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export interface PreparedRun extends RunSlices {
  readonly dataset: Dataset;
}

/** Rejects with KN_CONFIG when the data are absent or do not suit the model, KN_SHAPE when its layers do not fit. */
export async function prepareRun({ spec, data, env }: PrepareOptions): Promise<PreparedRun> {
  const dataset = await openDataset({ data: spec.data, env, ...(data === undefined ? {} : { directory: data }) });
  checkDataset(spec, dataset);
  return { dataset, ...(await describeSlices(spec)) };
}
