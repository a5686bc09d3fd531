/** Charts of the fleet: every state is reached, every path ends where it should, and nothing is held outside its state. */
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { type HostSlotContext, hostSlotChart, slotStateName } from "../../../src/fleet/host-slot-chart.ts";
import { nodeChart } from "../../../src/fleet/node-chart.ts";
import {
  type CoordinationEnd,
  controllerStateName,
  type RunControllerContext,
  runControllerChart,
} from "../../../src/fleet/run-controller-chart.ts";
import { after, completionIn, effectsOf, namesOf, pathsOf, rejectionsIn } from "../../support/chart-paths.ts";

const away = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "test", rule: "none" });
const broken = new KnowledgeNetError("KN_CHECKPOINT", { attempt: "test", rule: "none" });

describe("runControllerChart", () => {
  const ends: readonly CoordinationEnd[] = [
    { outcome: "completed", hasNext: false },
    { outcome: "completed", hasNext: true },
    { outcome: "stopped", hasNext: false },
    { outcome: "stopped", hasNext: true },
    { outcome: "failed", hasNext: true, error: broken },
    { outcome: "abandoned", hasNext: true },
  ];
  const paths = pathsOf(runControllerChart, {
    events: [
      ...(["LeaseTaken", "LeaseLost", "Placed", "ActorsLost", "ActorsPlaced", "Stop"] as const).map((type) => ({
        type,
      })),
      ...[1, 2].map((attempt) => ({ type: "RecordChanged", attempt })),
    ],
    outputs: { look: [true, false], restore: [undefined, ...ends], coordinate: ends },
    errors: [away, broken],
    input: { attempt: 1 },
  });
  const coordinating = ["placing", "running", "moving"].map((state) => `inOffice.coordinating.${state}`);

  it("reaches every state, and no other", () => {
    expect(namesOf(paths)).toEqual(
      [
        ...["standby.looking", "standby.waiting", "released", "stopped", "inOffice.acquiring", ...coordinating],
        ...["restoring", "betweenPhases", "concluding"].flatMap((state) => [
          `inOffice.${state}.trying`,
          `inOffice.${state}.retry`,
        ]),
      ].sort(),
    );
  });

  it("ends by Stop alone, from every state, and holds nothing then", () => {
    for (const { snapshot, name } of paths) {
      expect(snapshot.status === "done").toBe(name === "stopped");
      const stopped = after(runControllerChart, snapshot, { type: "Stop" });
      expect([name, stopped.value, effectsOf(stopped)]).toEqual([name, "stopped", []]);
    }
  });

  it("holds the lease in office only, and coordinates and reconciles while coordinating only", () => {
    for (const { snapshot, name } of paths) {
      const effects = effectsOf(snapshot);
      expect([name, effects.includes("holdLease")]).toEqual([name, name.startsWith("inOffice.")]);
      for (const effect of ["coordinate", "reconcile"])
        expect([name, effects.includes(effect)]).toEqual([name, coordinating.includes(name)]);
    }
  });

  it("leaves office with everything it holds when the lease is lost or its holder ends, and looks again after a tick", () => {
    for (const { snapshot, name } of paths.filter((path) => path.name.startsWith("inOffice."))) {
      const [holderFailed] = rejectionsIn(snapshot, away).filter(({ type }) => type.endsWith("run-control.inOffice"));
      const losses = [{ type: "LeaseLost" }, completionIn(snapshot, "holdLease"), holderFailed as { type: string }];
      for (const loss of losses) {
        const left = after(runControllerChart, snapshot, loss);
        expect([name, left.value, effectsOf(left)]).toEqual([name, { standby: "waiting" }, []]);
      }
    }
  });

  it("coordinates only after it has taken the lease and restored the run", () => {
    for (const { passed } of paths.filter(({ name }) => coordinating.includes(name))) {
      expect(passed.indexOf("inOffice.acquiring")).toBeGreaterThan(-1);
      expect(passed.indexOf("inOffice.restoring.trying")).toBeGreaterThan(passed.indexOf("inOffice.acquiring"));
    }
  });

  it("goes from the end of coordination to the next phase, to the outcome, or to neither when it was abandoned", () => {
    const nextOf = ({ outcome, hasNext }: CoordinationEnd): unknown => {
      if (outcome === "abandoned") return "released";
      return { inOffice: { [outcome === "completed" && hasNext ? "betweenPhases" : "concluding"]: "trying" } };
    };
    const served = paths.filter(({ name, snapshot }) => {
      const { attempt, servedAttempt } = snapshot.context as RunControllerContext;
      return coordinating.includes(name) && attempt === servedAttempt;
    });
    expect(served.length).toBeGreaterThan(0);
    for (const { snapshot } of served) {
      for (const end of ends) {
        const next = after(runControllerChart, snapshot, completionIn(snapshot, "coordinate", end));
        expect([end, next.value]).toEqual([end, nextOf(end)]);
      }
    }
  });

  it("is released until the run has another attempt", () => {
    for (const { snapshot } of paths.filter(({ name }) => name === "released")) {
      const { servedAttempt } = snapshot.context as { readonly servedAttempt: number };
      const same = after(runControllerChart, snapshot, { type: "RecordChanged", attempt: servedAttempt } as never);
      expect(same.value).toBe("released");
      const other = after(runControllerChart, snapshot, { type: "RecordChanged", attempt: servedAttempt + 1 } as never);
      expect(other.value).toEqual({ standby: "looking" });
    }
  });

  it("has no effect whose rejection ends it", () => {
    expect(paths.filter(({ snapshot }) => snapshot.status === "error").map(({ passed }) => passed)).toEqual([]);
  });
});

it("controllerStateName, slotStateName: names as published, without what lasts for one try", () => {
  const names = [
    "standby.waiting",
    "inOffice.restoring.retry",
    "inOffice.concluding.trying",
    "inOffice.coordinating.moving",
  ];
  expect(names.map(controllerStateName)).toEqual(["standby", "restoring", "concluding", "coordinating.moving"]);
  expect(["hosting.running", "retry", "blocked"].map(slotStateName)).toEqual(["running", "starting.retry", "blocked"]);
});

describe("hostSlotChart", () => {
  const ends = [
    { kind: "left", delayMs: 5 },
    { kind: "failed", error: away, delayMs: 7 },
    { kind: "blocked", error: broken },
  ];
  const paths = pathsOf(hostSlotChart, {
    events: [
      { type: "Assigned", isNew: false },
      { type: "Assigned", isNew: true },
      ...["Withdrawn", "LeaseTaken", "Started"].map((type) => ({ type })),
    ] as { type: string }[],
    outputs: { incarnate: ends },
  });
  const hosting = ["acquiringLease", "starting", "running", "draining"].map((state) => `hosting.${state}`);

  it("reaches every state, and no other", () => {
    expect(namesOf(paths)).toEqual(["absent", "blocked", "released", "releasing", "retry", ...hosting].sort());
  });

  it("has one incarnation while it hosts, and none otherwise", () => {
    for (const { snapshot, name } of paths) {
      const expected = name.startsWith("hosting.") ? ["incarnate"] : name === "releasing" ? ["release"] : [];
      expect([name, effectsOf(snapshot)]).toEqual([name, expected]);
    }
  });

  it("drains its incarnation when it is withdrawn or composed anew, however that ends, and has released everything", () => {
    for (const { snapshot, name } of paths.filter((path) => path.name.startsWith("hosting."))) {
      const draining = after(hostSlotChart, snapshot, { type: "Withdrawn" });
      expect([name, draining.value]).toEqual([name, { hosting: "draining" }]);
      for (const end of ends.map((each) => completionIn(draining, "incarnate", each))) {
        const releasing = after(hostSlotChart, draining, end);
        expect([name, releasing.value]).toEqual([name, "releasing"]);
        const released = after(hostSlotChart, releasing, completionIn(releasing, "release"));
        expect([name, released.value, effectsOf(released)]).toEqual([name, "released", []]);
        expect(released.context).toMatchObject({ isAssigned: false, problem: undefined });
      }
      const renewed = after(hostSlotChart, snapshot, { type: "Assigned", isNew: true } as never);
      const over = after(hostSlotChart, renewed, completionIn(renewed, "incarnate", ends[0]));
      const next = after(hostSlotChart, over, completionIn(over, "release"));
      expect([name, renewed.value, over.value, next.value]).toEqual([
        name,
        { hosting: "draining" },
        "releasing",
        { hosting: "acquiringLease" },
      ]);
    }
  });

  it("without an incarnation, holds nothing once it is withdrawn", () => {
    for (const { snapshot, name } of paths.filter((path) => !path.name.startsWith("hosting."))) {
      let state = after(hostSlotChart, snapshot, { type: "Withdrawn" });
      if (state.value === "releasing") state = after(hostSlotChart, state, completionIn(state, "release"));
      expect([name, effectsOf(state)]).toEqual([name, []]);
      expect(["absent", "released"]).toContain(state.value);
    }
  });

  it("begins another incarnation after a loss only by the back-off, and none while it is blocked", () => {
    for (const { snapshot, name } of paths) {
      const { isAssigned, isStale } = snapshot.context as HostSlotContext;
      if (!name.startsWith("hosting.") || !isAssigned || isStale) continue;
      const [left, failed, blocked] = ends.map((end) =>
        after(hostSlotChart, snapshot, completionIn(snapshot, "incarnate", end)),
      );
      expect([name, left?.value, failed?.value, blocked?.value]).toEqual([name, "retry", "retry", "blocked"]);
      expect(left?.context).toMatchObject({ delayMs: 5 });
      expect(failed?.context).toMatchObject({ problem: away, delayMs: 7 });
      expect(blocked?.context).toMatchObject({ problem: broken });
    }
  });

  it("has no effect whose rejection ends it", () => {
    expect(paths.filter(({ snapshot }) => snapshot.status === "error").map(({ passed }) => passed)).toEqual([]);
  });
});

describe("nodeChart", () => {
  const paths = pathsOf(nodeChart, {
    events: [{ type: "Stop" }, { type: "NameTaken", error: away } as { type: string }],
  });

  it("reaches every state, and no other", () => {
    expect(namesOf(paths)).toEqual(["expelled", "gone", "joining", "leaving", "member"]);
  });

  it("leaves on every path before it ends", () => {
    for (const { passed, snapshot } of paths) if (snapshot.status === "done") expect(passed).toContain("leaving");
  });

  it("ends expelled with the error when its name was taken, gone otherwise", () => {
    for (const { snapshot } of paths.filter((path) => path.snapshot.status === "done")) {
      const { error, isExpelled } = snapshot.context as { readonly error?: Error; readonly isExpelled: boolean };
      expect(snapshot.value).toBe(isExpelled ? "expelled" : "gone");
      expect(snapshot.output).toEqual(error === undefined ? {} : { error });
      if (isExpelled) expect(error).toBe(away);
    }
  });

  it("follows the run records as a member only, and leaves by Stop or the loss of its name from every state", () => {
    for (const { snapshot, name } of paths) {
      expect([name, effectsOf(snapshot).includes("follow")]).toEqual([name, name === "member"]);
      if (snapshot.status === "done") {
        expect(effectsOf(snapshot)).toEqual([]);
        continue;
      }
      for (const type of ["Stop", "NameTaken"]) {
        const leaving = after(nodeChart, snapshot, { type, error: away } as { type: string });
        expect([name, leaving.value, effectsOf(leaving)]).toEqual([name, "leaving", ["leave"]]);
        const end = after(nodeChart, leaving, completionIn(leaving, "leave"));
        expect([name, effectsOf(end)]).toEqual([name, []]);
        if (type === "NameTaken") expect(end.value).toBe("expelled");
      }
    }
  });

  it("has no effect whose rejection ends it", () => {
    expect(paths.filter(({ snapshot }) => snapshot.status === "error").map(({ passed }) => passed)).toEqual([]);
  });
});
