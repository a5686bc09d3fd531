/** One phase of a run in this process when its parts fail: everything is closed, and `ended` always resolves. */
import { expect, it } from "vitest";
import { type ComputeWorker, createComputeWorker } from "../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { describeSlices } from "../../../src/jobs/describe-slices.ts";
import { createPhaseRun } from "../../../src/jobs/phase-run.ts";
import { parseTrainingSpec } from "../../../src/run-spec/index.ts";
import { type Bus, createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";

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
training: { epochs: 1, batchSize: 4, optimizer: { kind: sgd, learningRate: 0.01 } }
gradients: { source: locked }
evaluation: { samples: 8, batchSize: 4 }
`;

async function scene({ bus, closeFails }: { readonly bus: Bus; readonly closeFails: boolean }) {
  const spec = parseTrainingSpec(SPEC, { file: "tiny.yaml" });
  const clock = systemClock();
  const closed: boolean[] = [];
  const startWorker = async (options: Parameters<typeof createComputeWorker>[0]): Promise<ComputeWorker> => {
    const worker = await createComputeWorker(options);
    void worker.closed.then(() => closed.push(true));
    if (!closeFails) return worker;
    const close = async (): Promise<void> => {
      await worker.close();
      throw new Error("not closed");
    };
    return { ...worker, close, [Symbol.asyncDispose]: close };
  };
  const run = createPhaseRun(
    {
      name: "phase-run",
      spec,
      ...(await describeSlices(spec)),
      phase: "training",
      attempt: 1,
      backend: "cpu",
      softwareVersion: "0.0.0",
    },
    { bus, store: await memoryStore({ clock }), clock, log: silentLogger, dataset: fakeDataset(32), startWorker },
  );
  return { run, closed };
}

it("PhaseRun.start rejects and leaves no actor when the coordinator cannot be started", async () => {
  const inner = createMemoryBroker().connect({ clock: systemClock() });
  const left = new Set<string>();
  const bus: Bus = {
    ...inner,
    async service(options) {
      if (options.name === "kn-coordinator")
        throw new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "register", rule: "the bus must answer" });
      const service = await inner.service(options);
      left.add(options.name);
      return {
        ...service,
        async stop() {
          left.delete(options.name);
          await service.stop();
        },
      };
    },
  };
  const { run, closed } = await scene({ bus, closeFails: false });
  await expect(run.start()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  expect([...left]).toEqual([]);
  expect(closed).toEqual([true, true]);
}, 60_000);

it("PhaseRun.ended resolves with the outcome of the run when an actor cannot be closed", async () => {
  const bus = createMemoryBroker().connect({ clock: systemClock() });
  const { run } = await scene({ bus, closeFails: true });
  await run.start();
  const { outcome, error, record } = await run.ended;
  expect(error).toBeUndefined();
  expect(outcome).toBe("completed");
  expect(record.step).toBe(8);
}, 60_000);
