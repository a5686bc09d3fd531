/** A whole small run with real compute workers, one of which dies. */
import { expect, it } from "vitest";
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { createComputeWorker } from "../../../src/compute/index.ts";
import { describeSlices } from "../../../src/jobs/describe-slices.ts";
import { createPhaseRun } from "../../../src/jobs/phase-run.ts";
import { parseTrainingSpec } from "../../../src/run-spec/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";

// The gradient model never learns: only the death itself can make its actor restart.
const SPEC = `
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
training: { epochs: 2, batchSize: 4, optimizer: { kind: sgd, learningRate: 0.01 } }
gradients: { source: synthetic, gradientModel: { hidden: 8, learnEvery: 1000, optimizer: { kind: sgd, learningRate: 0.01 } } }
evaluation: { samples: 8, batchSize: 4 }
checkpoint: { everySteps: 10 }
`;
const RUN = "worker-death";

it("a run goes on when the worker of a block and an idle gradient model dies: both restart, and the run completes", async () => {
  const spec = parseTrainingSpec(SPEC, { file: "tiny.yaml" });
  const clock = systemClock();
  const bus = createMemoryBroker().connect({ clock });
  await using folder = await temporaryFolder();
  await using store = await fileStore({ directory: folder.path, clock });
  const workers: ComputeWorker[] = [];
  const startWorker = async (options: Parameters<typeof createComputeWorker>[0]): Promise<ComputeWorker> => {
    const worker = await createComputeWorker(options);
    workers.push(worker);
    return worker;
  };
  const run = createPhaseRun(
    {
      name: RUN,
      spec,
      ...(await describeSlices(spec)),
      phase: "training",
      attempt: 1,
      backend: "cpu",
      softwareVersion: "0.0.0",
    },
    { bus, store, clock, log: silentLogger, dataset: fakeDataset(96), startWorker },
  );
  const failed = new Set<string>();
  let killed: ComputeWorker | undefined;
  const channel = createControlChannel({ run: RUN, actor: "tester" }, { bus, log: silentLogger });
  channel.watch("*", ({ header, fact }) => {
    if (fact.kind === "Failure") failed.add(`${fact.code} ${fact.directive}`);
    if (fact.kind !== "Progress" || header.sender !== "block-0" || fact.step < 25 || killed !== undefined) return;
    killed = workers[0]; // the first actor to start is the gradient model, in the worker of block-0
    void killed?.close();
  });

  await run.start();
  const { outcome, error, record } = await run.ended;

  expect(error).toBeUndefined();
  expect(outcome).toBe("completed");
  expect(killed).toBeDefined();
  expect(workers).toHaveLength(3); // one per block, and the one that took the dead one's place
  expect([...failed]).toEqual(["KN_UNAVAILABLE restart"]);
  expect(record.step).toBe(2 * 24);
}, 60_000);
