/** Charts of the actors of a served model: every state is reached, and every path ends where it should. */
import { describe, expect, it } from "vitest";
import { gatewayLifecycle, isOpen } from "../../../../src/actors/gateway/gateway-lifecycle.ts";
import { isTakingInputs, observerLifecycle } from "../../../../src/actors/observer/observer-lifecycle.ts";
import { isTakingBatches, replicaLifecycle } from "../../../../src/actors/replica/replica-lifecycle.ts";
import { isFollowing, updaterLifecycle } from "../../../../src/actors/updater/updater-lifecycle.ts";
import { stateName } from "../../../../src/runtime/actor/machine-host.ts";
import { after, completionIn, effectsOf, namesOf, pathsOf, rejectionsIn } from "../../../support/chart-paths.ts";

const error = new Error("it broke");
const failure = Object.assign({ type: "Failed" }, { error });
const KINDS = {
  gateway: {
    chart: gatewayLifecycle,
    events: ["Covered", "Uncovered", "SwapBegun", "SwapEnded"],
    open: ["waiting", "ready.steady", "ready.swapping"],
    isReady: isOpen,
  },
  replica: {
    chart: replicaLifecycle,
    events: ["ReleaseReady", "BatchTaken", "BatchesDone", "LoadBegun", "WarmBegun", "LoadEnded"],
    open: ["loading", "ready.idle", "ready.computing"],
    isReady: isTakingBatches,
  },
  updater: {
    chart: updaterLifecycle,
    events: ["Waits", "IsCurrent", "Applies", "Pauses"],
    open: ["following.waiting", "following.current", "following.applying", "following.paused"],
    isReady: isFollowing,
  },
  observer: {
    chart: observerLifecycle,
    events: ["NetworkKnown", "StoreLost", "StoreFound"],
    open: ["waiting", "observing.recording", "observing.holding"],
    isReady: isTakingInputs,
  },
} as const;

describe.each(Object.entries(KINDS))("lifecycle of a %s, on every path", (_, { chart, events, open, isReady }) => {
  const paths = pathsOf(chart, { events: [...events, "Stop"].map((type) => ({ type })).concat(failure) });
  const active = paths.filter(({ snapshot }) => snapshot.status === "active");

  it("reaches every state, and no other", () => {
    expect(namesOf(paths)).toEqual(["opening", ...open, "draining", "closing", "left", "failed"].sort());
  });

  it("is ready for messages in its open states alone", () => {
    expect(namesOf(paths).filter(isReady)).toEqual([...open].sort());
  });

  it("opens, drains and closes in these states alone, and has closed before it ends", () => {
    const effects: Readonly<Record<string, string>> = { opening: "open", draining: "drain", closing: "close" };
    for (const { snapshot, name, passed } of paths) {
      if (snapshot.status !== "active") expect(passed.at(-2)).toBe("closing");
      else expect([name, effectsOf(snapshot)]).toEqual([name, name in effects ? [effects[name]] : []]);
    }
  });

  it("ends failed with an error, left without one, and never otherwise", () => {
    for (const { snapshot, name } of paths.filter((path) => path.snapshot.status !== "active")) {
      expect(snapshot.status).toBe("done");
      expect(snapshot.output).toEqual(name === "failed" ? { error: expect.any(Error) as Error } : {});
    }
  });

  it("drains on Stop when it is open, closes when it is not, and stays on its way", () => {
    for (const { snapshot, name } of active) {
      const next = stateName(after(chart, snapshot, { type: "Stop" }).value);
      expect([name, next]).toEqual([name, isReady(name) || name === "draining" ? "draining" : "closing"]);
    }
  });

  it("closes on a failure from everywhere, and ends with it", () => {
    for (const { snapshot, name } of active.filter((path) => path.name !== "closing")) {
      const closing = after(chart, snapshot, failure);
      expect([name, closing.value]).toEqual([name, "closing"]);
      expect(after(chart, closing, completionIn(closing, "close")).output).toEqual({ error });
    }
  });

  it("closes when draining fails, and fails when closing does", () => {
    for (const { snapshot, name } of active) {
      const [rejection] = rejectionsIn(snapshot, error);
      if (rejection === undefined) continue;
      const next = after(chart, snapshot, rejection);
      expect([name, stateName(next.value)]).toEqual([name, name === "closing" ? "failed" : "closing"]);
    }
  });
});

describe("lifecycle of a replica", () => {
  it("shows one state for all batches: idle and computing are brief", () => {
    const paths = pathsOf(replicaLifecycle, {
      events: ["ReleaseReady", "BatchTaken", "LoadBegun"].map((type) => ({ type })),
    });
    for (const { snapshot, name } of paths) expect(snapshot.hasTag("brief")).toBe(name.startsWith("ready."));
  });
});
