import { describe, expect, it } from "vitest";
import { createRunMonitor } from "../../../src/jobs/run-monitor.ts";
import type { Event } from "../../../src/messages/index.ts";
import { progress } from "./run-scene.ts";

function event(sender: string, step: number, fact: Partial<Event["fact"]>): Event {
  return { header: { run: "run", sender, sequence: step, step, version: 0, fence: 1 }, fact } as Event;
}

/** A monitor that has seen these, one each second. */
function monitorOf(...events: readonly Event[]) {
  const monitor = createRunMonitor("block-1");
  events.forEach((each, second) => {
    monitor.observe(each, 1_000 * second);
  });
  return monitor.figures();
}

const moved = (sender: string, step: number, changes: Parameters<typeof progress>[0] = {}): Event =>
  event(sender, step, progress({ applied: step, ...changes }));

describe("createRunMonitor", () => {
  it("has the step and the rate of the last learner, whatever the others do", () => {
    const figures = monitorOf(moved("block-1", 10), moved("block-0", 90), moved("block-1", 14), moved("block-1", 12));
    expect(figures.step).toBe(14);
    expect(figures.stepsPerSecond).toBeCloseTo(2 / 3);
  });

  it("measures rates over the last five seconds", () => {
    const steps = [0, 100, 200, 210, 220, 230, 240, 250];
    const { actors } = monitorOf(...steps.map((step) => moved("block-1", step, { sentBytes: { grad: 10 * step } })));
    expect(actors[0]?.updatesPerSecond).toBeCloseTo(10);
    expect(actors[0]?.bytesPerSecond.grad).toBeCloseTo(100);
  });

  it("shows no negative traffic when an actor starts its count anew", () => {
    const [before, after] = [900, 10].map((sent) => moved("block-1", 1, { sentBytes: { grad: sent } }));
    expect(monitorOf(before as Event, after as Event).actors[0]?.bytesPerSecond.grad).toBe(0);
  });

  it("keeps the last loss and quality through a progress without them", () => {
    const quality = { cosine: 0.5, relativeError: 1, updates: 1 };
    const { actors } = monitorOf(moved("block-1", 1, { loss: 2, quality }), moved("block-1", 2));
    expect(actors[0]).toMatchObject({ loss: 2, quality });
  });

  it("calls an actor running that it has not seen start", () => {
    expect(monitorOf(moved("block-1", 1)).actors[0]?.state).toBe("running");
    const saving = event("block-1", 1, { kind: "StateEntered", state: "saving" });
    expect(monitorOf(saving, moved("block-1", 2)).actors[0]?.state).toBe("saving");
  });

  it("lists actors by id", () => {
    expect(monitorOf(moved("feeder", 1), moved("block-1", 1), moved("block-0", 1)).actors.map(({ id }) => id)).toEqual([
      "block-0",
      "block-1",
      "feeder",
    ]);
  });

  it("keeps what has happened in a reader's words, each state once, and the newest fifty only", () => {
    const running = event("block-1", 1, { kind: "StateEntered", state: "running" });
    const { events } = monitorOf(
      running,
      running,
      event("gradient-0", 2, { kind: "SourceSwitched", from: "auxiliary", to: "synthetic", reason: "cosine" }),
      event("student-0", 3, { kind: "TeacherChanged", from: 1, to: 2 }),
      event("feeder", 4, { kind: "FeederMark", mark: "epoch-ended", epoch: 1 }),
    );
    expect(events.map(({ actor, step }) => [actor, step])).toEqual([
      ["block-1", 1],
      ["gradient-0", 2],
      ["student-0", 3],
      ["feeder", 4],
    ]);
    const many = Array.from({ length: 60 }, (_, step) =>
      event("block-1", step, { kind: "CheckpointSaved", name: "a" }),
    );
    expect(monitorOf(...many).events.map(({ step }) => step)).toEqual(Array.from({ length: 50 }, (_, at) => at + 10));
  });

  it("shows a failure with its code and what the supervisor does about it", () => {
    const failure = { kind: "Failure", code: "KN_NUMERIC", directive: "restart", message: "not finite" } as const;
    const { actors, events } = monitorOf(event("block-1", 7, failure as Partial<Event["fact"]>));
    expect(actors[0]?.state).toBe("failed: KN_NUMERIC");
    expect(events[0]?.text).toBe("restart: not finite");
  });

  it("has the newest evaluation, with the step that it is of", () => {
    const measured = { kind: "EvaluationMeasured", evaluation: 1, samples: 10, correct: 5, lossSum: 1 } as const;
    expect(monitorOf(event("block-1", 8, measured)).evaluation).toEqual({ ...measured, step: 8 });
  });
});
