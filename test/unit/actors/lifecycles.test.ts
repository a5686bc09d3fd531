/** Charts of the actors with a message loop: every state is reached, and every path ends where it should. */
import { describe, expect, it } from "vitest";
import { type AnyStateMachine, createActor, fromPromise } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { blockLifecycle } from "../../../src/actors/block/block-lifecycle.ts";
import { gradientModelLifecycle } from "../../../src/actors/gradient-model/gradient-model-lifecycle.ts";
import { studentSectionLifecycle } from "../../../src/actors/student-section/student-section-lifecycle.ts";
import { teacherSectionLifecycle } from "../../../src/actors/teacher-section/teacher-section-lifecycle.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { stateName } from "../../../src/runtime/actor/machine-host.ts";
import {
  type MessageLifecycle,
  type MessageLifecycleContext,
  STARVED_AFTER_MS,
} from "../../../src/runtime/actor/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";

const KINDS = {
  block: {
    chart: blockLifecycle,
    activity: ["catchingUp", "training.idle", "training.computing", "training.awaitingGradient", "training.starved"],
  },
  "gradient model": { chart: gradientModelLifecycle, activity: ["warmingUp", "predicting"] },
  "student section": {
    chart: studentSectionLifecycle,
    activity: [
      "learning.waitingForInput",
      "learning.waitingForHint",
      "learning.computing",
      "learning.starvedOfInput",
      "learning.starvedOfHint",
      "locating",
    ],
  },
  "teacher section": {
    chart: teacherSectionLifecycle,
    activity: ["teaching.idle", "teaching.computing", "teaching.loadingVersion"],
  },
} as const;

const COMMON = ["restoring", "draining", "saving", "closing", "left", "failed", "fenced"];

const failed = (code: "KN_FENCED" | "KN_NUMERIC") => new KnowledgeNetError(code, { attempt: "test", rule: "none" });

/** Everything that can happen to the chart: the events of the loop and the kind, and the outcomes of effects and delays. */
const eventsOf = (chart: MessageLifecycle) => [
  { type: "Stop", isSaving: false },
  { type: "Stop", isSaving: true },
  { type: "Failed", error: failed("KN_NUMERIC") },
  { type: "Failed", error: failed("KN_FENCED") },
  { type: "MessageTaken" },
  { type: "MessageSettled", isAwaiting: false },
  { type: "MessageSettled", isAwaiting: true },
  { type: "PartMissing", part: "hint" },
  { type: "PartMissing", part: "input" },
  { type: "ResyncBegun" },
  { type: "ResyncEnded" },
  { type: "VersionLoading" },
  { type: "WarmedUp" },
  { type: "CheckpointMoved", to: "prepared" },
  ...chart.events.filter((type) => type.startsWith("xstate.")).map((type) => ({ type, error: failed("KN_NUMERIC") })),
];

const pathsOf = (chart: MessageLifecycle) =>
  getShortestPaths(chart as AnyStateMachine, {
    events: eventsOf(chart),
    serializeState: ({ value, context }) => {
      const { error, ...flags } = context as MessageLifecycleContext;
      return JSON.stringify({ value, ...flags, error: String(error) });
    },
  });

describe.each(Object.entries(KINDS))("lifecycle of a %s", (_, { chart, activity }) => {
  const paths = pathsOf(chart);
  const names = new Set(paths.map(({ state }) => stateName(state.value)));

  it("reaches every state of its activity and of its end, and no other", () => {
    expect([...names].sort()).toEqual([...COMMON, ...activity].sort());
  });

  it("closes on every path before it ends", () => {
    for (const { state, steps } of paths) {
      if (state.status !== "done") continue;
      expect(steps.map((step) => stateName(step.state.value))).toContain("closing");
    }
  });

  it("ends fenced or failed with the error, left without one", () => {
    for (const { state } of paths.filter((path) => path.state.status === "done")) {
      const { error } = state.output as { error?: KnowledgeNetError };
      const expected = error === undefined ? "left" : error.code === "KN_FENCED" ? "fenced" : "failed";
      expect(state.value).toBe(expected);
    }
  });

  it("saves only when it is asked to leave with a save", () => {
    for (const { state } of paths)
      if (state.value === "saving") expect(state.context).toMatchObject({ isSaving: true });
  });
});

describe("lifecycle of a block, in time", () => {
  it("is starved when no message arrives, and of no other time", async () => {
    const clock = simulatedClock();
    const never = fromPromise<void>(() => new Promise(() => undefined));
    const chart = blockLifecycle.provide({ actors: { open: fromPromise(() => Promise.resolve()), close: never } });
    const actor = createActor(chart, { clock: clock as never });
    actor.start();
    await clock.advance(0);
    const state = (): string => stateName(actor.getSnapshot().value);
    expect(state()).toBe("catchingUp");
    actor.send({ type: "MessageTaken" });
    await clock.advance(2 * STARVED_AFTER_MS); // one slow message
    expect(state()).toBe("training.computing");
    actor.send({ type: "MessageSettled", isAwaiting: false });
    await clock.advance(STARVED_AFTER_MS - 1);
    expect(state()).toBe("training.idle");
    expect(actor.getSnapshot().hasTag("brief")).toBe(true);
    await clock.advance(1);
    expect(state()).toBe("training.starved");
    expect(actor.getSnapshot().hasTag("brief")).toBe(false);
    actor.send({ type: "MessageTaken" });
    expect(state()).toBe("training.computing");
    actor.stop();
  });
});
