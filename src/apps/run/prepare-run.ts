/** What every run needs before it begins: its data, and what its model looks like once it is cut. */
import type { SliceDescription } from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import type { TrainingSpec } from "../../spec/index.ts";
import { checkDataset, describeSlices } from "./describe-slices.ts";
import { openDataset } from "./open-dataset.ts";

export interface PrepareOptions {
  readonly spec: TrainingSpec;
  /** Folder of the data from the command line. */
  readonly data: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export interface PreparedRun {
  readonly dataset: Dataset;
  readonly slices: readonly SliceDescription[];
}

/** Rejects with KN_CONFIG when the data are absent or do not suit the model, KN_SHAPE when its layers do not fit. */
export async function prepareRun({ spec, data, env }: PrepareOptions): Promise<PreparedRun> {
  const dataset = await openDataset({ data: spec.data, env, ...(data === undefined ? {} : { directory: data }) });
  checkDataset(spec, dataset);
  return { dataset, slices: await describeSlices(spec) };
}
