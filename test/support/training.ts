/** A real training run for a test: real MNIST, real actors and compute, on the bus and in the folder that are given. */
import { readFile } from "node:fs/promises";
import { createPhaseRun, type PhaseRun } from "../../src/jobs/phase-run.ts";
import { openDataset } from "../../src/apps/open-dataset.ts";
import { describeSlices } from "../../src/jobs/describe-slices.ts";
import type { BackendPreference } from "../../src/compute/index.ts";
import type { Bus } from "../../src/runtime/bus/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { fileStore, type Store } from "../../src/runtime/store/index.ts";
import type { Manifest } from "../../src/runtime/artifacts/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { parseTrainingSpec, type TrainingSpec } from "../../src/run-spec/index.ts";

export interface TestTrainingOptions {
  readonly name: string;
  readonly example: "mnist-synthetic" | "mnist-locked";
  readonly bus: Bus;
  /** Folder of the store. */
  readonly folder: string;
  readonly set?: readonly string[];
  readonly from?: Manifest;
  readonly backend?: BackendPreference;
}

export interface TestTraining extends AsyncDisposable {
  readonly run: PhaseRun;
  readonly spec: TrainingSpec;
  readonly store: Store;
}

export async function testTraining(options: TestTrainingOptions): Promise<TestTraining> {
  const file = new URL(`../../examples/${options.example}.yaml`, import.meta.url);
  const spec = parseTrainingSpec(await readFile(file, "utf8"), { file: file.pathname, set: options.set ?? [] });
  const clock = systemClock();
  const dataset = await openDataset({ data: spec.data, env: process.env });
  const store = await fileStore({ directory: options.folder, clock });
  const run = createPhaseRun(
    {
      name: options.name,
      spec,
      ...(await describeSlices(spec)),
      phase: "training",
      attempt: (options.from?.attempt ?? 0) + 1,
      backend: options.backend ?? "auto",
      softwareVersion: "0.0.0",
      ...(options.from === undefined ? {} : { from: options.from }),
    },
    { bus: options.bus, store, clock, log: silentLogger, dataset },
  );
  return { run, spec, store, [Symbol.asyncDispose]: () => store.close() };
}
