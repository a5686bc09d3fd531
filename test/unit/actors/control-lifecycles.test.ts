/** Charts of the feeder and the coordinator: every state is reached, and every path ends where it should. */
import { describe, expect, it } from "vitest";
import {
  type CoordinatorContext,
  coordinatorLifecycle,
} from "../../../src/actors/coordinator/coordinator-lifecycle.ts";
import { feederLifecycle } from "../../../src/actors/feeder/feeder-lifecycle.ts";
import { after, completionIn, effectsOf, namesOf, pathsOf } from "../../support/chart-paths.ts";

const error = new Error("it broke");
const both = (type: string, ...flags: string[]) =>
  flags.reduce(
    (events, flag) => events.flatMap((event) => [true, false].map((value) => ({ ...event, [flag]: value }))),
    [{ type }],
  );

describe("feederLifecycle, on every path", () => {
  const failure = Object.assign({ type: "Failed" }, { error });
  const paths = pathsOf(feederLifecycle, {
    events: [
      ...["Start", "Pause", "Stop"].map((type) => ({ type })),
      ...both("Credit", "isDrained"),
      ...both("EpochPublished", "isLast", "isDrained"),
      failure,
    ],
    errors: [error],
  });
  const ending = { stopping: "stopped", failing: "failed" } as Readonly<Record<string, string>>;

  it("reaches every state, and no other", () => {
    const activity = ["starting", "holding", "feeding", "draining", "finished"];
    expect(namesOf(paths)).toEqual([...activity, ...Object.entries(ending).flat()].sort());
  });

  it("has closed what it opened before it ends", () => {
    for (const { snapshot, passed, name } of paths) {
      if (snapshot.status !== "active") expect(ending[passed.at(-2) ?? ""]).toBe(name);
      expect([name, effectsOf(snapshot)]).toEqual([
        name,
        name === "starting" ? ["open"] : name in ending ? ["close"] : [],
      ]);
    }
  });

  it("ends with the error when it has failed, also when it was stopped meanwhile, and without one otherwise", () => {
    for (const { snapshot, passed } of paths.filter((path) => path.snapshot.status !== "active")) {
      expect(snapshot.status).toBe("done");
      expect(snapshot.output).toEqual(passed.includes("failing") ? { error } : {});
    }
  });

  it("closes on Stop and on a failure, from every state that it works in", () => {
    for (const { snapshot, name } of paths) {
      if (name in ending || snapshot.status === "done") continue;
      for (const [event, state] of [
        [{ type: "Stop" }, "stopping"],
        [failure, "failing"],
      ] as const) {
        const closing = after(feederLifecycle, snapshot, event);
        expect([name, closing.value, effectsOf(closing)]).toEqual([name, state, ["close"]]);
        const ended = after(feederLifecycle, closing, completionIn(closing, "close"));
        expect([name, ended.value, effectsOf(ended)]).toEqual([name, ending[state], []]);
      }
    }
  });

  it("feeds only after it was started, and is finished only after it drained", () => {
    for (const { name, passed } of paths) {
      if (name === "feeding") expect(passed.at(-2)).toMatch(/holding|draining/);
      if (name === "finished") expect(passed.at(-2)).toBe("draining");
    }
  });
});

describe("coordinatorLifecycle, on every path", () => {
  const input = { stopDeadlineMs: 4_000, saveDeadlineMs: 60_000 };
  const paths = pathsOf(coordinatorLifecycle, {
    events: [
      ...["StopRequested", "FeederHolds", "Abandoned"].map((type) => ({ type })),
      ...["epoch-ended", "paused", "finished"].map((mark) => Object.assign({ type: "MarkReached" }, { mark })),
      Object.assign({ type: "ActorFailed" }, { error }),
    ],
    errors: [error],
    input,
  });
  const contextOf = (snapshot: { readonly context: unknown }) => snapshot.context as CoordinatorContext;
  const effects: Readonly<Record<string, string>> = {
    starting: "open",
    preparing: "awaitActors",
    feeding: "startFeeding",
    pausing: "pauseFeeding",
    saving: "saveAll",
  };
  const ends = ["completed", "stopped", "failed", "abandoned"];

  it("reaches every state, and no other", () => {
    expect(namesOf(paths)).toEqual([...Object.keys(effects), ...ends].sort());
  });

  it("has the effect of its state under way and no other, and none when it has ended", () => {
    for (const { snapshot, name } of paths) {
      const [effect, ...others] = effectsOf(snapshot);
      // Feeding and pausing go on after their command was sent.
      if (effect !== undefined) expect([name, effect, others]).toEqual([name, effects[name], []]);
      expect([name, snapshot.status]).toEqual([name, ends.includes(name) ? "done" : "active"]);
    }
  });

  it("ends failed with the error, otherwise without one", () => {
    for (const { snapshot, name } of paths.filter((path) => ends.includes(path.name)))
      expect([name, snapshot.output]).toEqual([name, name === "failed" ? { error } : {}]);
  });

  it("completes only after the last checkpoint, and stops only when it was asked to", () => {
    for (const { snapshot, name, passed } of paths) {
      if (name === "completed") expect([passed.at(-2), contextOf(snapshot).isLast]).toEqual(["saving", true]);
      if (name === "stopped") expect(contextOf(snapshot).isStopping).toBe(true);
      if (contextOf(snapshot).isLate) expect(passed).toContain("pausing");
    }
  });

  it("ends at once when it is abandoned or an actor has failed, from every state", () => {
    for (const { snapshot, name } of paths.filter((path) => path.snapshot.status === "active")) {
      const abandoned = after(coordinatorLifecycle, snapshot, { type: "Abandoned" });
      const failed = after(coordinatorLifecycle, snapshot, Object.assign({ type: "ActorFailed" }, { error }));
      expect([name, abandoned.value, effectsOf(abandoned)]).toEqual([name, "abandoned", []]);
      expect([name, failed.value, effectsOf(failed)]).toEqual([name, "failed", []]);
    }
  });

  it("ends after a stop by its deadlines and its effects alone, from every state", () => {
    const deadlines = [{ type: "xstate.after.stopDeadline.coordinator.pausing" }, { type: "SaveDeadlinePassed" }];
    for (const { snapshot, name } of paths.filter((path) => path.snapshot.status === "active")) {
      let state = after(coordinatorLifecycle, snapshot, { type: "StopRequested" });
      for (const effect of ["open", "awaitActors"])
        if (effectsOf(state).includes(effect)) state = after(coordinatorLifecycle, state, completionIn(state, effect));
      for (const deadline of deadlines)
        if (state.status === "active") state = after(coordinatorLifecycle, state, deadline);
      expect([name, state.value]).toEqual([name, "stopped"]);
    }
  });
});
