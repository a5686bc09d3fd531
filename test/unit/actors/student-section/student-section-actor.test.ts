/** A student's section and the next one, which is not there: what it says, and what it says again. */
import { expect, it } from "vitest";
import { RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { createStudentSectionActor } from "../../../../src/actors/student-section/index.ts";
import { type BatchOptions, batchFrame, createScene, memoryOf, progressOf, RUN, type Scene } from "../actor-scene.ts";
import { fakeSection } from "../fake-units.ts";
import { told } from "../block/middle-block.ts";

/** Section 0 of two, and its teacher's section; the mathematics keeps a diary. */
async function firstSection(scene: Scene, fence: number) {
  const unit = fakeSection();
  const { calls } = unit;
  const actor = createStudentSectionActor(
    {
      ...scene.options("student-0", fence),
      ...{ first: 0, last: 0, sections: 2, isTaught: true },
      ownInput: { from: 1, to: 1, over: 0 },
      ...{ totalSteps: 100, startAfter: 0, activationCodec: "raw", window: 4 },
      feeder: "feeder",
      next: "student-1",
    },
    {
      ...scene.deps,
      memory: memoryOf("student-0", scene.checkpoints, { fence }),
      openUnit: () => Promise.resolve(unit.handle),
    },
  );
  const started = actor.start();
  await scene.clock.advance(10_000); // there is no feeder that could say where it stands
  await started;
  return {
    actor,
    calls,
    /** Its training takes until what is returned is called. */
    hold(): () => void {
      let release: () => void = () => undefined;
      unit.hold = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    async send(sequences: readonly number[], options: BatchOptions = {}) {
      for (const sequence of sequences) {
        for (const part of ["batch", "hint"]) scene.publish(`kn.v1.${RUN}.${part}.0`, batchFrame(sequence, options));
      }
      await scene.settle();
    },
  };
}

it("computes again, in another life, what the next section has not got of batches that it has learnt, and learns none twice", async () => {
  const scene = await createScene();
  const outputs = scene.listen(`kn.v1.${RUN}.act.0`);
  const before = await firstSection(scene, 1);
  await before.send([1, 2, 3]);
  scene.tell("student-1", progressOf(1));
  await scene.settle();
  const leaving = before.actor.stop({ isSaving: true });
  await scene.clock.advance(60_000);
  await leaving;

  const after = await firstSection(scene, 2);
  scene.tell("student-1", progressOf(1));
  await scene.settle();
  outputs.length = 0;
  await after.send([1, 2, 3]); // the feeder repeats what not all have learnt
  expect(after.calls).toEqual(["restore 3", "evaluate", "evaluate"]);
  expect(told(outputs)).toEqual([2, 3]);
  await after.send([2, 3]); // now they are kept
  expect(after.calls).toHaveLength(3);
  expect(told(outputs)).toEqual([2, 3, 2, 3]);
  await after.send([4]);
  expect(after.calls).toEqual(["restore 3", "evaluate", "evaluate", "train 4"]);
  const end = after.actor.stop();
  await scene.settle();
  await end;
});

it("computes nothing twice that is still at work, or waits for its turn", async () => {
  const scene = await createScene();
  const outputs = scene.listen(`kn.v1.${RUN}.act.0`);
  const section = await firstSection(scene, 1);
  const release = section.hold();
  await section.send([1, 2]);
  await section.send([1, 2]);
  release();
  await scene.settle();
  expect(section.calls).toEqual(["train 1", "train 2"]);
  expect(told(outputs)).toEqual([1, 2]);
});

it("says in evaluation again what the next section has, since one behind that may lack it", async () => {
  const scene = await createScene();
  const outputs = scene.listen(`kn.v1.${RUN}.act.0`);
  const section = await firstSection(scene, 1);
  await section.send([1], { phase: "evaluate" });
  scene.tell("student-1", progressOf(1));
  await scene.settle();
  await section.send([1], { phase: "evaluate" });
  expect(section.calls).toEqual(["evaluate", "evaluate"]);
  expect(told(outputs)).toEqual([1, 1]);
});

it("leaves when the next section has what it was sent, and not before", async () => {
  const scene = await createScene();
  const section = await firstSection(scene, 1);
  await section.send([1, 2]);
  let hasLeft = false;
  const leaving = section.actor.stop({ isSaving: true }).then(() => {
    hasLeft = true;
  });
  await scene.clock.advance(2 * RETRANSMIT_AFTER_MS);
  expect(hasLeft).toBe(false);
  scene.tell("student-1", progressOf(2));
  await scene.settle();
  await leaving;
  expect(await scene.generations("student-0")).toEqual([2]);
});

it("does not wait for a section that leaves as well", async () => {
  const scene = await createScene();
  const section = await firstSection(scene, 1);
  await section.send([1, 2]);
  scene.tell("student-1", { kind: "StateEntered", state: "draining" });
  await scene.settle();
  await section.actor.stop({ isSaving: true });
  expect(await scene.generations("student-0")).toEqual([2]);
});
