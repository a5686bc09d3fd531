/** A whole small run of two blocks in this process, with real compute workers on the plain JavaScript backend. */
import { type ComputeWorker, createComputeWorker } from "../../../src/compute/index.ts";
import { describeSlices } from "../../../src/jobs/describe-slices.ts";
import { createPhaseRun, type PhaseRun } from "../../../src/jobs/phase-run.ts";
import { parseTrainingSpec } from "../../../src/run-spec/index.ts";
import type { Bus } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";

const MODEL = `
kind: training
name: tiny
data: { dataset: mnist }
model:
  input: [2, 2, 1]
  classes: 10
  layers:
    - { name: flat, type: flatten }
    - { name: hidden, type: dense, units: 8 }
    - { name: active, type: re_lu }
    - { name: logits, type: dense, units: 10 }
  cuts: [active]
evaluation: { samples: 8, batchSize: 4 }
`;

export interface SmallPhaseRunOptions {
  readonly name: string;
  readonly bus: Bus;
  /** YAML of `training`, `gradients` and further settings. */
  readonly settings: string;
  readonly samples: number;
  /** What the run gets in place of each worker. @default the worker */
  readonly wrap?: (worker: ComputeWorker) => ComputeWorker;
}

export async function smallPhaseRun(options: SmallPhaseRunOptions): Promise<PhaseRun> {
  const { name, bus, settings, samples, wrap = (worker) => worker } = options;
  const spec = parseTrainingSpec(`${MODEL}${settings}`, { file: "tiny.yaml" });
  const clock = systemClock();
  return createPhaseRun(
    {
      name,
      spec,
      ...(await describeSlices(spec)),
      phase: "training",
      attempt: 1,
      backend: "cpu",
      softwareVersion: "0.0.0",
    },
    {
      bus,
      store: await memoryStore({ clock }),
      clock,
      log: silentLogger,
      dataset: fakeDataset(samples),
      startWorker: async (worker) => wrap(await createComputeWorker(worker)),
    },
  );
}
