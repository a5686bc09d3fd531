import { describe, expect, it } from "vitest";
import { createActorComposer } from "../../../src/jobs/compose-actors.ts";
import { jobKindOf } from "../../../src/jobs/kinds/index.ts";
import { actorsOf, phasesOfRun, planOf } from "../../../src/jobs/run-plan.ts";
import { openCheckpoints, openReleases, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { memoryBus } from "../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { measureSections, type RunPhase, type RunSpec } from "../../../src/run-spec/index.ts";
import { createFakeWorker } from "./fake-worker.ts";
import { distillationSpec, smallDataset, trainingSpec } from "./run-scene.ts";

const BASELINE = { optimizer: { kind: "sgd", learningRate: 0.1 } };

/** A composer over memory adapters, whose compute workers have no thread. */
async function composerOf(spec: RunSpec, phase: RunPhase, elsewhere: readonly number[] = []) {
  const clock = simulatedClock();
  const store = await memoryStore({ clock });
  const dataset = smallDataset();
  const plan = planOf(spec, dataset, phase);
  const cut = await jobKindOf(spec).slices(spec, (model) => Promise.resolve(measureSections(model)));
  let workers = 0;
  const composer = createActorComposer(
    {
      run: "run",
      spec,
      phase,
      dataset: dataset.fingerprint,
      ...cut,
      totalSteps: plan.totalSteps,
      startAfter: plan.firstSequence - 1,
      attempt: 1,
      from: undefined,
    },
    { backend: "cpu", softwareVersion: "0", metadata: {}, isElsewhere: (boundary) => elsewhere.includes(boundary) },
    {
      bus: memoryBus({ clock }),
      clock,
      log: silentLogger,
      checkpoints: await openCheckpoints(store, scopeOfRun("run")),
      teachers: await openReleases(store, scopeOfRun("run")),
      cache: undefined,
      openDataset: () => Promise.resolve(dataset),
      startWorker: () => {
        workers += 1;
        return Promise.resolve(createFakeWorker().worker);
      },
    },
  );
  return { composer, workers: () => workers };
}

describe("createActorComposer", () => {
  it.each<[string, RunSpec]>([
    ["a training run", trainingSpec()],
    ["a distillation run", distillationSpec({ baseline: BASELINE })],
  ])("makes every actor of every phase of %s, each under its own id", async (_, spec) => {
    for (const phase of phasesOfRun(spec)) {
      const { composer, workers } = await composerOf(spec, phase);
      for (const id of actorsOf(spec, phase).all) {
        const create = await composer.compose(id);
        expect(create(1).id).toBe(id);
        expect(create(2).id).toBe(id);
      }
      expect(workers()).toBe(0); // a worker starts with its first actor, not with the plan
      await composer[Symbol.asyncDispose]();
    }
  });

  it.each<[RunSpec, RunPhase, readonly string[]]>([
    [trainingSpec(), "training", ["block-3", "gradient-2", "student-0", "coordinator", "nobody"]],
    [distillationSpec(), "sections", ["student-3", "teacher-3", "block-0", "coordinator", ""]],
  ])("refuses an actor that the run does not have (%#)", async (spec, phase, ids) => {
    const { composer } = await composerOf(spec, phase);
    for (const id of ids) await expect(composer.compose(id)).rejects.toThrow(RangeError);
  });

  it("has no backend before a worker runs, nor tensors", async () => {
    const { composer } = await composerOf(trainingSpec(), "training");
    await composer.compose("block-0");
    expect(composer.backends).toEqual([]);
    expect(await composer.countTensors()).toBe(0);
    await composer.release("block-0");
    await composer.release("block-0");
  });
});
