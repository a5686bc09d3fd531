import { describe, expect, it } from "vitest";
import {
  createGradientModelActor,
  type GradientModelActorOptions,
} from "../../../../src/actors/gradient-model/index.ts";
import { batchFrame, createScene, gradientFrame, memoryOf, progressOf, RUN, type Scene } from "../actor-scene.ts";
import { fakeGradientModel } from "../fake-units.ts";

const GRADIENT = `kn.v1.${RUN}.grad.0`;

async function model(changes: Partial<GradientModelActorOptions> = {}, past?: Scene) {
  const scene = past ?? (await createScene());
  const unit = fakeGradientModel();
  const actor = createGradientModelActor(
    {
      ...scene.options("gradient-0"),
      boundary: 0,
      learnEvery: 1,
      retain: 8,
      isElsewhere: false,
      gradientCodec: "raw",
      ...changes,
    },
    {
      ...scene.deps,
      memory: memoryOf("gradient-0", scene.checkpoints, changes),
      openUnit: () => Promise.resolve(unit.handle),
    },
  );
  await actor.start();
  return {
    scene,
    actor,
    unit,
    async send(...steps: readonly number[]) {
      for (const step of steps) scene.publish(GRADIENT, gradientFrame(step));
      await scene.settle();
    },
    async reported() {
      const answer = scene.order("gradient-0", { kind: "ReportState" });
      await scene.settle();
      return answer;
    },
  };
}

describe("createGradientModelActor", () => {
  it("learns from each gradient and reports its quality", async () => {
    const test = await model();
    await test.send(1, 2);
    expect(test.unit.calls).toEqual(["learn 1", "learn 2"]);
    expect(test.scene.facts("gradient-0", "Progress")).toMatchObject([
      { applied: 1, quality: { cosine: 0.5, relativeError: 0.25, updates: 1 } },
      { applied: 2, quality: { updates: 2 } },
    ]);
  });

  it("measures its staleness against the block that it serves", async () => {
    const test = await model();
    test.scene.tell("block-0", progressOf(9), { sequence: 9, step: 9, version: 9 });
    test.scene.tell("block-1", progressOf(99), { sequence: 99, step: 99, version: 99 });
    await test.send(5);
    expect(test.scene.facts("gradient-0", "Progress")).toMatchObject([{ stalenessSteps: 4 }]);
  });

  it("is never less than not stale when its gradient overtakes the block's report", async () => {
    const test = await model();
    await test.send(3);
    expect(test.scene.facts("gradient-0", "Progress")).toMatchObject([{ stalenessSteps: 0 }]);
  });

  it("learns from every n-th gradient only", async () => {
    const test = await model({ learnEvery: 3 });
    await test.send(1, 2, 3, 4, 5, 6);
    expect(test.unit.calls).toEqual(["learn 3", "learn 6"]);
    expect(await test.reported()).toMatchObject({ progress: { applied: 2, drops: {} } });
  });

  it("counts what it has learnt from already and what it no longer keeps a prediction for", async () => {
    const test = await model();
    test.unit.forgotten.add(2);
    await test.send(1);
    await test.send(1, 2, 3);
    expect(test.unit.calls).toEqual(["learn 1", "learn 2", "learn 3"]);
    expect(await test.reported()).toMatchObject({ progress: { applied: 2, drops: { duplicate: 1, late: 1 } } });
  });

  it("counts what waits beyond its depth, and messages of another kind", async () => {
    const test = await model({ retain: 2 });
    test.scene.publish(GRADIENT, batchFrame(1));
    await test.send(1, 2, 3, 4, 5);
    const learnt = test.unit.calls.length;
    const reply = await test.reported();
    expect(reply).toMatchObject({ progress: { drops: { unexpected: 1, overflow: 5 - learnt } } });
    expect(learnt).toBeLessThan(5);
  });

  it("goes on from a checkpoint: what it knew then is a duplicate now", async () => {
    const before = await model();
    await before.send(1, 2);
    const saving = before.scene.order("gradient-0", { kind: "SaveCheckpoint", generation: 3 });
    await before.scene.settle();
    await saving;
    await before.actor.stop();

    const after = await model({ fence: 2 }, before.scene);
    await after.send(2, 3);
    expect(after.unit.calls).toEqual(["restore 2", "learn 3"]);
    expect(await after.reported()).toMatchObject({ progress: { applied: 3, drops: { duplicate: 1 } } });
    await after.actor.stop();
    expect(after.unit.calls.at(-1)).toBe("dispose");
  });
});
