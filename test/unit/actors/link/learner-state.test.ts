import { describe, expect, it } from "vitest";
import { createLearnerState } from "../../../../src/actors/link/index.ts";
import { createDropCounters } from "../../../../src/runtime/stream/index.ts";
import { unaccounted } from "../actor-scene.ts";

describe("createLearnerState", () => {
  it("accounts for every training batch: applied, skipped before it, refused, in hand, or pending with its kind", () => {
    const learner = createLearnerState(createDropCounters());
    learner.take(1, true, undefined);
    expect(learner.progress()).toMatchObject({ pending: 1, step: 1, applied: 0 });
    learner.settle(1, { isApplied: true, version: 1 });
    learner.take(4, true, "overload");
    learner.abort(true);
    learner.take(5, true, undefined);
    learner.settle(5, { isApplied: false, version: 1 });
    const progress = learner.progress({ pending: 1, stalenessSteps: 2 });
    expect(progress).toMatchObject({
      applied: 1,
      skipped: { overload: 2, refused: 1 },
      pending: 1,
      stalenessSteps: 2,
      step: 5,
    });
    expect(unaccounted(progress)).toBe(0);
  });

  it("refuses a batch that was applied before, and counts none as refused that is not in hand", () => {
    const learner = createLearnerState(createDropCounters());
    learner.take(1, true, undefined);
    learner.settle(1, { isApplied: true, version: 1 });
    expect(() => {
      learner.settle(1, { isApplied: true, version: 2 });
    }).toThrow(expect.objectContaining({ code: "KN_INVARIANT" }));
    learner.abort(true);
    learner.take(1, false, undefined); // an evaluation after the step
    learner.abort(true);
    expect(learner.progress()).toMatchObject({ applied: 1, skipped: {}, pending: 0 });
  });

  it("is finished with a step once it has consumed the batch, and begins after the sequence that it is given", () => {
    const learner = createLearnerState(createDropCounters(), 10);
    expect(learner.consumed).toBe(10);
    learner.take(7, true, undefined);
    expect(learner.position()).toEqual({ step: 7, finished: 0, consumed: 10, applied: 0 });
    learner.consume(11);
    expect(learner.position()).toEqual({ step: 7, finished: 7, consumed: 11, applied: 0 });
  });

  it("keeps the figures of the last message that it has, the loss across evaluations", () => {
    const learner = createLearnerState(createDropCounters());
    learner.note({ computeMs: 5, receivedBytes: 100, loss: 0.5 });
    learner.note({ computeMs: 2 });
    expect(learner.progress()).toMatchObject({ computeMs: 2, receivedBytes: 100, loss: 0.5 });
  });

  it("save and restore carry position, account, bytes and evaluation; an open batch is not part of it", () => {
    const learner = createLearnerState(createDropCounters());
    learner.take(3, true, undefined);
    learner.settle(3, { isApplied: true, version: 1 });
    learner.consume(3);
    learner.countSent("act", 40);
    const measured = { evaluation: 1, correct: 3, samples: 4, lossSum: 0.5 };
    learner.evaluations.add(4, measured);
    learner.take(4, true, undefined);
    const after = createLearnerState(createDropCounters());
    after.restore(learner.save(true));
    expect(after.position()).toEqual({ step: 3, finished: 3, consumed: 3, applied: 1 });
    expect(after.progress()).toMatchObject({ skipped: { restarted: 2 }, sentBytes: { act: 40 }, pending: 0 });
    expect(after.evaluations.current).toMatchObject(measured);
    after.restore(learner.save());
    expect(after.step).toBe(4);
  });
});
