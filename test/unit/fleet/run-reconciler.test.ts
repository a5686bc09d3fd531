/** One controller's ticks by themselves: what it passes to the coordinator, whom it moves, what it writes. */
import { describe, expect, it } from "vitest";
import type { Coordinator } from "../../../src/actors/coordinator/index.ts";
import { openFleet } from "../../../src/fleet/fleet.ts";
import { launchRun } from "../../../src/fleet/launch.ts";
import type { RunRecordEntry } from "../../../src/fleet/records.ts";
import { createReconciler, MOVE_AFTER_MS } from "../../../src/fleet/run-reconciler.ts";
import { blankTerm } from "../../../src/fleet/run-term.ts";
import { EMPTY_SUMMARY } from "../../../src/fleet/run-status.ts";
import type { Fact } from "../../../src/messages/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import type { Lease } from "../../../src/runtime/lease/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { failAlways, failingStore, switchedFaults } from "../../support/failing-store.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";
import { nodeRecord, RUN, SLICES, smallSpec } from "./fleet-world.ts";

/** A run on nodes a and b, its controller on a. */
async function scene() {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const store = failingStore(await memoryStore({ clock }), faults, clock);
  const fleet = await openFleet(store);
  for (const name of ["a", "b"]) await fleet.nodes.put(name, nodeRecord(name));
  let record: RunRecordEntry = await launchRun(
    { run: RUN, spec: smallSpec(), slices: SLICES, teacherSlices: [], dataset: fakeDataset(48) },
    fleet,
    clock,
  );
  const asked: string[] = [];
  const { counts: _counts, ...listed } = EMPTY_SUMMARY;
  const coordinator = {
    state: "preparing",
    published: 5,
    record: listed,
    requestStop: () => asked.push("stop"),
    abandon: () => asked.push("abandon"),
  };
  const term = {
    ...blankTerm({ fence: 3 } as Lease, record, { fleet, clock, openCheckpoints: () => Promise.reject(new Error()) }),
    coordinator: coordinator as unknown as Coordinator,
  };
  const bus = createMemoryBroker().connect({ clock });
  const speak = (actor: string, fact: Fact) => {
    createControlChannel({ run: RUN, actor }, { bus, log: silentLogger }).emit(fact);
  };
  const told: string[] = [];
  const reconciler = createReconciler(
    { term, node: "a" },
    {
      fleet,
      clock,
      log: silentLogger,
      channel: createControlChannel({ run: RUN, actor: "run-control" }, { bus, log: silentLogger }),
      current: () => record,
      facts: () => ({ node: "a", control: "coordinating.running", nowMs: clock.wallTimeMs() }),
      tell: (event) => told.push(event),
    },
  );
  return {
    clock,
    faults,
    fleet,
    store,
    term,
    coordinator,
    reconciler,
    asked,
    told,
    follow(changes: Partial<RunRecordEntry>) {
      record = { ...record, ...changes };
    },
    async say(actor: string, fact: Fact) {
      speak(actor, fact);
      await clock.advance(0);
    },
    actorsOn: async (node: string) => {
      const { actors } = (await fleet.runs.get(RUN))?.value ?? { actors: {} };
      return Object.entries(actors).filter(([, at]) => at === node);
    },
    status: async () => (await fleet.status.get(RUN))?.value,
    /** Expires with the node. */
    async leave(node: string) {
      await fleet.nodes.kv.delete(node);
    },
    async tickFor(ms: number) {
      for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) {
        await reconciler.tick();
        await clock.advance(1_000);
        for (const { name } of await fleet.nodes.all()) await fleet.nodes.put(name, nodeRecord(name));
      }
    },
  };
}

describe("createReconciler", () => {
  it("passes the desired stop to the coordinator, and leaves the run to another attempt's controller", async () => {
    const { reconciler, asked, follow } = await scene();
    await reconciler.tick();
    expect(asked).toEqual([]);
    follow({ desired: "stopping" });
    await reconciler.tick();
    expect(asked).toEqual(["stop"]);
    follow({ attempt: 2 });
    await reconciler.tick();
    expect(asked).toEqual(["stop", "abandon"]);
  });

  it("counts the run as placed once the coordinator has heard its actors", async () => {
    const { reconciler, coordinator, told } = await scene();
    await reconciler.tick();
    expect(told).toEqual(["ActorsPlaced"]);
    coordinator.state = "feeding";
    await reconciler.tick();
    expect(told.slice(1)).toEqual(["Placed", "ActorsPlaced"]);
  });

  it("moves the actors of a node that is absent for 15 s, and not before", async () => {
    const { actorsOn, fleet, follow, leave, reconciler, tickFor, told } = await scene();
    const before = await actorsOn("b");
    expect(before.length).toBeGreaterThan(0);
    await leave("b");
    await tickFor(MOVE_AFTER_MS);
    expect(await actorsOn("b")).toEqual(before);
    expect(told.every((event) => event === "ActorsLost")).toBe(true);
    const { value: record, revision } = (await fleet.runs.get(RUN)) ?? {};
    await reconciler.tick();
    const moved = Object.fromEntries(before.map(([actor]) => [actor, "a"]));
    expect(await fleet.runs.get(RUN)).toEqual({
      value: { ...record, actors: { ...record?.actors, ...moved } },
      revision: (revision ?? 0) + 1,
    });
    // Nothing is left to move: the record is not written again.
    follow({ actors: { ...record?.actors, ...moved } });
    await reconciler.tick();
    expect((await fleet.runs.get(RUN))?.revision).toBe((revision ?? 0) + 1);
  });

  it("without a coordinator yet writes the status alone, and rejects nothing", async () => {
    const { asked, follow, reconciler, status, term, told } = await scene();
    Object.assign(term, { coordinator: undefined });
    for (const changes of [{ desired: "stopping" }, { attempt: 2 }] as const) {
      follow(changes);
      await reconciler.tick();
    }
    expect([asked, told]).toEqual([[], ["ActorsPlaced", "ActorsPlaced"]]);
    expect(await status()).toMatchObject({ published: 0, state: "coordinating.running" });
  });

  it("appends what is new in the coordinator's record to the history", async () => {
    const { coordinator, reconciler, store } = await scene();
    const switches = [{ actor: "block-0", step: 1, from: "auxiliary", to: "synthetic", reason: "" }];
    coordinator.record = { ...coordinator.record, switches };
    for (let ticks = 0; ticks < 2; ticks += 1) await reconciler.tick();
    const entries: string[] = [];
    for await (const { data } of (await store.log(`history-${RUN}`)).read())
      entries.push(new TextDecoder().decode(data));
    expect(entries.map((entry) => JSON.parse(entry) as unknown)).toMatchObject([{ kind: "switch", ...switches[0] }]);
  });

  it("counts the absence anew when a node was back in between", async () => {
    const { actorsOn, fleet, leave, tickFor, reconciler, told } = await scene();
    const before = await actorsOn("b");
    await leave("b");
    await tickFor(MOVE_AFTER_MS - 2_000);
    await fleet.nodes.put("b", nodeRecord("b"));
    await reconciler.tick();
    expect(told.at(-1)).toBe("ActorsPlaced");
    await leave("b");
    await tickFor(MOVE_AFTER_MS - 2_000);
    expect(await actorsOn("b")).toEqual(before);
  });

  it("forgets the absence of a node that hosts nothing of the run any more", async () => {
    const { follow, leave, tickFor, told } = await scene();
    await leave("b");
    await tickFor(2_000);
    follow({ actors: { "block-0": "a", coordinator: "a" } });
    await tickFor(1_000);
    expect(told.at(-1)).toBe("ActorsPlaced");
  });

  it("moves nobody in the record of another attempt", async () => {
    const { actorsOn, fleet, leave, tickFor } = await scene();
    const before = await actorsOn("b");
    await fleet.runs.change(RUN, (value) => ({ ...value, attempt: 2 }));
    await leave("b");
    await tickFor(MOVE_AFTER_MS + 2_000);
    expect(await actorsOn("b")).toEqual(before);
  });

  it("has the newest failure of a slot in the status until that slot runs, or is released", async () => {
    const { reconciler, say, status } = await scene();
    const failure = (message: string) =>
      ({ kind: "Failure", code: "KN_UNAVAILABLE", message, directive: "restart" }) as const;
    await say("slot-block-0", failure("first"));
    await say("slot-block-1", failure("second"));
    await reconciler.tick();
    expect(await status()).toMatchObject({
      problem: "second",
      fence: 3,
      control: "coordinating.running",
      published: 5,
    });
    await say("slot-block-1", { kind: "StateEntered", state: "starting" });
    await reconciler.tick();
    expect(await status()).toMatchObject({ problem: "second" });
    await say("slot-block-1", { kind: "StateEntered", state: "running" });
    await reconciler.tick();
    expect(await status()).toMatchObject({ problem: "first" });
    await say("slot-block-0", { kind: "StateEntered", state: "released" });
    await reconciler.tick();
    expect(await status()).not.toHaveProperty("problem");
  });

  it("goes on with its other steps when one fails, and repeats it with the next tick", async () => {
    const { clock, coordinator, faults, reconciler, status } = await scene();
    coordinator.record = {
      ...coordinator.record,
      switches: [{ actor: "block-0", step: 1, from: "auxiliary", to: "synthetic", reason: "" }],
    };
    faults.now = failAlways({ bucket: "kn-nodes" });
    await reconciler.tick();
    expect(await status()).toMatchObject({ published: 5 });
    faults.now = failAlways({ operation: "append" });
    coordinator.published = 6;
    await reconciler.tick();
    expect(await status()).toMatchObject({ published: 6 });
    faults.now = failAlways({ bucket: "kn-status" });
    coordinator.published = 7;
    await reconciler.tick();
    faults.now = undefined;
    await reconciler.tick();
    expect(await status()).toMatchObject({ published: 7 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("hears nothing after its disposal", async () => {
    const { reconciler, say, status } = await scene();
    await reconciler[Symbol.asyncDispose]();
    await say("slot-block-0", { kind: "Failure", code: "KN_UNAVAILABLE", message: "late", directive: "restart" });
    await reconciler.tick();
    expect(await status()).not.toHaveProperty("problem");
  });
});
