/** The office of a run's controller by itself: whose turn it is, and what holds and loses the lease. */
import { describe, expect, it } from "vitest";
import { openFleet } from "../../../src/fleet/fleet.ts";
import { launchRun } from "../../../src/fleet/launch.ts";
import { PRESENCE_TTL_MS } from "../../../src/fleet/records.ts";
import { createRunOffice, type RunOffice } from "../../../src/fleet/run-office.ts";
import { EMPTY_SUMMARY } from "../../../src/fleet/run-status.ts";
import { openCheckpoints, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { failingStore, failTimes, switchedFaults } from "../../support/failing-store.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";
import { nodeRecord, RUN, SLICES, smallSpec } from "./fleet-world.ts";

const LEASE = `${RUN}.coordinator`;

/** A run whose coordinator is assigned to node a, and an office on `node`. */
async function scene(node = "a") {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const store = failingStore(await memoryStore({ clock }), faults, clock);
  const fleet = await openFleet(store);
  await fleet.nodes.put("a", nodeRecord("a"));
  const record = await launchRun(
    { run: RUN, spec: smallSpec(), slices: SLICES, teacherSlices: [], dataset: fakeDataset(48) },
    fleet,
    clock,
  );
  const told: string[] = [];
  const officeOn = (name: string): RunOffice =>
    createRunOffice(
      record,
      { node: name, instance: `${name}-1` },
      {
        fleet,
        clock,
        log: silentLogger,
        openCheckpoints: () => openCheckpoints(store, scopeOfRun(RUN)),
        tell: (event) => told.push(`${name} ${event}`),
      },
    );
  const settle = () => clock.advance(0);
  return {
    clock,
    faults,
    fleet,
    record,
    told,
    settle,
    office: officeOn(node),
    officeOn,
    holder: async () => {
      const found = await fleet.leases.get(LEASE);
      return found === undefined
        ? undefined
        : (JSON.parse(new TextDecoder().decode(found.value)) as { holder: string }).holder;
    },
  };
}

describe("RunOffice.look", () => {
  it("is the turn of the assigned node at once, of another after two lifetimes of a lease without any", async () => {
    const { office, officeOn } = await scene();
    expect(await office.look()).toBe(true);
    const other = officeOn("b");
    const looks: boolean[] = [];
    for (let tick = 1; tick <= (2 * PRESENCE_TTL_MS) / 1_000; tick += 1) looks.push(await other.look());
    expect(looks).toEqual(looks.map((_, index) => index === looks.length - 1));
  });

  it("counts the vacancy of another node's lease from its end", async () => {
    const { fleet, officeOn } = await scene();
    const other = officeOn("b");
    const lookFor = async (ticks: number): Promise<boolean> => {
      for (let tick = 1; tick < ticks; tick += 1) expect(await other.look()).toBe(false);
      return other.look();
    };
    const vacantTicks = (2 * PRESENCE_TTL_MS) / 1_000;
    expect(await lookFor(vacantTicks - 1)).toBe(false);
    await fleet.leases.put(LEASE, new TextEncoder().encode("{}"));
    expect(await lookFor(vacantTicks + 1)).toBe(false);
    await fleet.leases.delete(LEASE);
    expect(await lookFor(vacantTicks)).toBe(true);
  });

  it("is nobody's turn once the run has ended", async () => {
    const { office, record } = await scene();
    office.record = { ...record, desired: "ended" };
    expect(await office.look()).toBe(false);
  });
});

describe("RunOffice.holdLease", () => {
  it("holds the lease until the signal aborts and the work under it is done, then releases it", async () => {
    const { office, holder, settle, told } = await scene();
    const leaving = new AbortController();
    const holding = office.holdLease(leaving.signal);
    await settle();
    expect([await holder(), told]).toEqual(["a", ["a LeaseTaken"]]);
    let finish: () => void = () => undefined;
    const work = office.during(() => new Promise<void>((resolve) => (finish = resolve)));
    leaving.abort();
    let isSettled = false;
    void office.settled().then(() => {
      isSettled = true;
    });
    await settle();
    expect([await holder(), isSettled]).toEqual(["a", false]);
    finish();
    await Promise.all([work, holding]);
    await settle();
    expect([await holder(), isSettled]).toEqual([undefined, true]);
  });

  it("takes it again only after it was released", async () => {
    const { office, holder, settle, told } = await scene();
    const [first, second] = [new AbortController(), new AbortController()];
    const holding = [office.holdLease(first.signal)];
    await settle();
    let finish: () => void = () => undefined;
    const work = office.during(() => new Promise<void>((resolve) => (finish = resolve)));
    first.abort();
    holding.push(office.holdLease(second.signal));
    await settle();
    expect(told).toHaveLength(1);
    finish();
    await work;
    await settle();
    expect([await holder(), told]).toEqual(["a", ["a LeaseTaken", "a LeaseTaken"]]);
    second.abort();
    await Promise.all(holding);
    expect(await holder()).toBeUndefined();
  });

  it("resolves at once, without a word, when another holds it", async () => {
    const { fleet, office, told } = await scene();
    await fleet.leases.put(LEASE, new TextEncoder().encode(JSON.stringify({ holder: "b" })));
    await office.holdLease(new AbortController().signal);
    expect(told).toEqual([]);
    await expect(office.during(() => Promise.resolve())).rejects.toThrow(TypeError);
  });

  it("begins no term when it is left before the lease is granted, and leaves no lease behind", async () => {
    const { clock, faults, office, holder, told } = await scene();
    const leaving = new AbortController();
    faults.now = failTimes(1, { bucket: "kn-leases", operation: "create" }, { kind: "slow", delayMs: 1_000 });
    const holding = office.holdLease(leaving.signal);
    await clock.advance(500);
    leaving.abort();
    await clock.advance(500);
    await holding;
    expect([await holder(), told]).toEqual([undefined, []]);
    expect(clock.pendingTimers).toBe(0);
    await office.holdLease(leaving.signal);
    expect(told).toEqual([]);
  });

  it("tells when the lease is lost to another, and leaves that one's lease alone", async () => {
    const { clock, fleet, office, holder, told } = await scene();
    const leaving = new AbortController();
    const holding = office.holdLease(leaving.signal);
    await clock.advance(1_000);
    await fleet.leases.put(LEASE, new TextEncoder().encode(JSON.stringify({ holder: "b", fence: 99 })));
    await clock.advance(PRESENCE_TTL_MS / 2);
    expect(told).toEqual(["a LeaseTaken", "a LeaseLost"]);
    leaving.abort();
    await holding;
    expect([await holder(), told]).toEqual(["b", ["a LeaseTaken", "a LeaseLost"]]);
  });
});

describe("RunOffice.restore", () => {
  it("returns the outcome that an earlier controller of this attempt wrote, and none of an earlier attempt", async () => {
    for (const attempt of [1, 2]) {
      const { clock, fleet, office, record } = await scene();
      office.record = { ...record, attempt };
      await fleet.status.put(RUN, {
        format: 2,
        run: RUN,
        attempt: 1,
        fence: 1,
        phase: "training",
        done: [],
        state: "completed",
        control: "concluding",
        outcome: "completed",
        coordinator: "b",
        published: 24,
        record: { ...EMPTY_SUMMARY, step: 24 },
        seconds: 1,
        startedAt: "2000-01-01T00:00:00.000Z",
        updatedAt: "2000-01-01T00:00:00.000Z",
      });
      const leaving = new AbortController();
      const holding = office.holdLease(leaving.signal);
      await clock.advance(0);
      expect(await office.restore()).toEqual(attempt === 1 ? { outcome: "completed", hasNext: false } : undefined);
      expect(await office.during(({ base, isRestored }) => Promise.resolve([isRestored, base?.step]))).toEqual([
        true,
        attempt === 1 ? 24 : undefined,
      ]);
      leaving.abort();
      await holding;
    }
  });
});
