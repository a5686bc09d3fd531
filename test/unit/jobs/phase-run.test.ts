/** One phase of a run in this process when its parts fail: everything is closed, and `ended` always resolves. */
import { expect, it } from "vitest";
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { type Bus, createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { smallPhaseRun } from "./small-phase-run.ts";

const SETTINGS = `
training: { epochs: 1, batchSize: 4, optimizer: { kind: sgd, learningRate: 0.01 } }
gradients: { source: locked }
`;

async function scene({ bus, closeFails }: { readonly bus: Bus; readonly closeFails: boolean }) {
  const closed: boolean[] = [];
  const wrap = (worker: ComputeWorker): ComputeWorker => {
    void worker.closed.then(() => closed.push(true));
    if (!closeFails) return worker;
    const close = async (): Promise<void> => {
      await worker.close();
      throw new Error("not closed");
    };
    return { ...worker, close, [Symbol.asyncDispose]: close };
  };
  return { run: await smallPhaseRun({ name: "phase-run", bus, settings: SETTINGS, samples: 32, wrap }), closed };
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
