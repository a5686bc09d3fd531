/** A training run in this process on the embedded bus, in a folder that goes when it ends: for measurements. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { SliceDescription } from "../../src/compute/index.ts";
import type { Dataset } from "../../src/data/index.ts";
import { type Bus, memoryBus } from "../../src/runtime/bus/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { fileStore } from "../../src/runtime/store/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { parseTrainingSpec, type TrainingSpec } from "../../src/run-spec/index.ts";
import { describeSlices } from "../../src/jobs/describe-slices.ts";
import { openDataset } from "../../src/apps/open-dataset.ts";
import { createPhaseRun, type PhaseRun, type PhaseRunEnd } from "../../src/jobs/phase-run.ts";

export const EMBEDDED_RUN = "bench";

export interface EmbeddedRun {
  readonly spec: TrainingSpec;
  readonly dataset: Dataset;
  readonly slices: readonly SliceDescription[];
  readonly bus: Bus;
  readonly run: PhaseRun;
}

/** Rejects with the error of a failed run. @param watch called before the run begins */
export async function runEmbedded(
  text: string,
  set: readonly string[],
  watch: (opened: EmbeddedRun) => void = () => undefined,
): Promise<EmbeddedRun & { readonly end: PhaseRunEnd }> {
  const spec = parseTrainingSpec(text, { file: "spec", set });
  const clock = systemClock();
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  try {
    const dataset = await openDataset({ data: spec.data, env: process.env });
    const described = await describeSlices(spec);
    const bus = memoryBus();
    await using store = await fileStore({ directory: folder, clock });
    const run = createPhaseRun(
      {
        name: EMBEDDED_RUN,
        spec,
        ...described,
        phase: "training",
        attempt: 1,
        backend: "auto",
        softwareVersion: "0.0.0",
      },
      { bus, store, clock, log: silentLogger, dataset },
    );
    const opened = { spec, dataset, slices: described.slices, bus, run };
    watch(opened);
    await run.start();
    const end = await run.ended;
    await bus.close();
    if (end.error !== undefined) throw end.error;
    return { ...opened, end };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
