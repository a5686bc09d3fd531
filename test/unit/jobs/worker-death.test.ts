/** A whole small run with real compute workers, one of which dies. */
import { expect, it } from "vitest";
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { smallPhaseRun } from "./small-phase-run.ts";

// The gradient model never learns: only the death itself can make its actor restart.
const SETTINGS = `
training: { epochs: 2, batchSize: 4, optimizer: { kind: sgd, learningRate: 0.01 } }
gradients: { source: synthetic, gradientModel: { hidden: 8, learnEvery: 1000, optimizer: { kind: sgd, learningRate: 0.01 } } }
checkpoint: { everySteps: 10 }
`;
const RUN = "worker-death";

it("a run goes on when the worker of a block and an idle gradient model dies: both restart, and the run completes", async () => {
  const bus = createMemoryBroker().connect({ clock: systemClock() });
  const workers: ComputeWorker[] = [];
  const wrap = (worker: ComputeWorker): ComputeWorker => {
    workers.push(worker);
    return worker;
  };
  const run = await smallPhaseRun({ name: RUN, bus, settings: SETTINGS, samples: 96, wrap });
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
