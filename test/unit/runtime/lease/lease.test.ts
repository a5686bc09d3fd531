import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { acquireLease, type Lease, type LeaseOptions, tryLease } from "../../../../src/runtime/lease/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failAlways } from "../../../support/failing-store.ts";
import { memoryKeyValue } from "../../../support/memory-key-value.ts";

const KEY = "run.block-1";
const TTL_MS = 6_000;
const RENEW_MS = TTL_MS / 3;

/** A store with a clock of its own, and nodes with theirs: the time of one that is suspended stands still. */
async function scene() {
  const storeClock = simulatedClock();
  const leases = await memoryKeyValue({ ttlMs: TTL_MS }, storeClock);
  const fences = await memoryKeyValue({}, storeClock);
  const options = (holder: string, instance = `${holder}-1`): LeaseOptions => ({
    key: KEY,
    holder,
    instance,
    ttlMs: TTL_MS,
  });
  const node = (clock = simulatedClock()) => ({
    clock,
    deps: { leases, fences, clock, log: silentLogger },
  });
  return {
    storeClock,
    leases,
    fences,
    options,
    node,
    /** @throws when it is not free. */
    async take(holder: string, instance?: string, { clock, deps } = node()) {
      const lease = await tryLease(options(holder, instance), deps);
      if (lease === undefined) throw new Error(`${holder} does not get the lease`);
      return { lease, clock, outcome: outcomeOf(lease) };
    },
    isFreeFor: async (holder: string) => {
      const lease = await tryLease(options(holder), node().deps);
      await lease?.release();
      return lease !== undefined;
    },
    record: async () => {
      const entry = await leases.get(KEY);
      return entry === undefined ? undefined : (JSON.parse(new TextDecoder().decode(entry.value)) as unknown);
    },
  };
}

/** What a lease has come to so far; "held" while it is ours. */
function outcomeOf(lease: Lease): { now: unknown } {
  const outcome: { now: unknown } = { now: "held" };
  void lease.ended.then((end) => {
    outcome.now = end;
  });
  return outcome;
}

describe("tryLease", () => {
  it("gives each holder a higher fence than the one before, within the same moment too", async () => {
    const { take, storeClock } = await scene();
    const fences: number[] = [];
    for (const holder of ["a", "b", "a", "c"]) {
      const { lease } = await take(holder);
      fences.push(lease.fence);
      await lease.release();
      if (holder === "a") await storeClock.advance(700);
    }
    expect(fences).toEqual([...fences].sort((a, b) => a - b));
    expect(new Set(fences).size).toBe(fences.length);
    expect(fences.every(Number.isSafeInteger)).toBe(true);
  });

  it("gives a higher fence when the store was lost and its revisions begin anew", async () => {
    const { take, storeClock, leases, fences } = await scene();
    for (const holder of ["a", "b", "c"]) await (await take(holder)).lease.release();
    const before = await take("d");
    await leases.lose();
    await fences.lose();
    await storeClock.advance(1_000);
    const after = await take("e");
    expect((await leases.get(KEY))?.revision).toBeLessThan(3);
    expect(after.lease.fence).toBeGreaterThan(before.lease.fence);
  });

  it("writes the fence and who holds it where readers find them", async () => {
    const { take, record } = await scene();
    const { lease } = await take("a");
    expect(await record()).toEqual({ holder: "a", instance: "a-1", fence: lease.fence });
  });

  it("is refused while another holds it, however long that one renews it", async () => {
    const { take, node, isFreeFor, storeClock } = await scene();
    const { outcome } = await take("a", "a-1", node(storeClock));
    for (let renewals = 0; renewals < 10; renewals += 1) {
      await storeClock.advance(RENEW_MS);
      expect(await isFreeFor("b")).toBe(false);
    }
    expect(outcome.now).toBe("held");
  });

  it("takes it over at once from a former life of the same holder, which then has lost it", async () => {
    const { take } = await scene();
    const before = await take("a", "a-1");
    const after = await take("a", "a-2");
    expect(after.lease.fence).toBeGreaterThan(before.lease.fence);
    await before.clock.advance(RENEW_MS);
    expect(before.outcome.now).toMatchObject({ code: "KN_FENCED" });
    await after.clock.advance(RENEW_MS);
    expect(after.outcome.now).toBe("held");
  });

  it("does not take it over from an instance that is not gone, or renews it meanwhile", async () => {
    const { take, options, node, leases } = await scene();
    const { outcome } = await take("a", "a-1");
    const asked: string[] = [];
    const assertGone = (instance: string): Promise<void> => {
      asked.push(instance);
      return Promise.reject(new KnowledgeNetError("KN_CONFIG", { attempt: "test", rule: "it answers" }));
    };
    const second = { ...options("a", "a-2"), assertGone };
    await expect(tryLease(second, node().deps)).rejects.toMatchObject({ code: "KN_CONFIG" });
    const renew = async (): Promise<void> => {
      const { value, revision } = (await leases.get(KEY)) ?? { value: new Uint8Array(0), revision: 0 };
      await leases.update(KEY, value, revision);
    };
    expect(await tryLease({ ...second, assertGone: renew }, node().deps)).toBeUndefined();
    expect([asked, outcome.now]).toEqual([["a-1"], "held"]);
    expect(await tryLease({ ...options("a", "a-1"), assertGone }, node().deps)).toBeDefined();
  });

  it("is refused while the store is away", async () => {
    const { isFreeFor, leases } = await scene();
    leases.faults.now = failAlways();
    expect(await isFreeFor("a")).toBe(false);
    leases.faults.now = undefined;
    expect(await isFreeFor("a")).toBe(true);
  });

  it("is refused while the store has no room, and granted once it has: a full disk ends no run", async () => {
    const { isFreeFor, leases } = await scene();
    leases.faults.now = failAlways({}, { kind: "refused", code: "KN_CHECKPOINT" });
    expect(await isFreeFor("a")).toBe(false);
    leases.faults.now = undefined;
    expect(await isFreeFor("a")).toBe(true);
  });
});

describe("acquireLease", () => {
  it("waits until the lease is free, and gives up waiting when it is told to", async () => {
    const { take, node, options, storeClock } = await scene();
    const { lease } = await take("a", "a-1", node(storeClock));
    const stopping = new AbortController();
    const patient = acquireLease(options("b"), node(storeClock).deps, new AbortController().signal);
    const impatient = acquireLease(options("c"), node(storeClock).deps, stopping.signal);
    impatient.catch(() => undefined); // looked at below
    await storeClock.advance(3 * TTL_MS);
    stopping.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    await lease.release();
    await storeClock.advance(RENEW_MS);
    expect((await patient).fence).toBeGreaterThan(lease.fence);
  });
});

describe("Lease", () => {
  it("is lost when its holder was suspended for longer than its life and another took it", async () => {
    const { take, storeClock } = await scene();
    const suspended = await take("a");
    await storeClock.advance(TTL_MS);
    const successor = await take("b");
    expect(successor.lease.fence).toBeGreaterThan(suspended.lease.fence);
    expect(suspended.outcome.now).toBe("held"); // it has had no time to notice
    await suspended.clock.advance(RENEW_MS);
    expect(suspended.outcome.now).toMatchObject({ code: "KN_FENCED" });
    await suspended.lease.release();
    await successor.clock.advance(RENEW_MS);
    expect(successor.outcome.now).toBe("held");
  });

  it("goes on with the same fence when it had expired and nobody had taken it", async () => {
    const { take, isFreeFor, record, storeClock } = await scene();
    const { lease, clock, outcome } = await take("a");
    await storeClock.advance(2 * TTL_MS);
    expect(await record()).toBeUndefined();
    await clock.advance(RENEW_MS);
    expect(await record()).toMatchObject({ holder: "a", fence: lease.fence });
    expect(await isFreeFor("b")).toBe(false);
    await clock.advance(RENEW_MS);
    expect(outcome.now).toBe("held");
  });

  it("goes on with the same fence after a store that was lost", async () => {
    const { take, leases, fences, record, storeClock } = await scene();
    const { lease, clock, outcome } = await take("a");
    await leases.lose();
    await fences.lose();
    await storeClock.advance(1_000);
    await clock.advance(RENEW_MS);
    expect(outcome.now).toBe("held");
    expect(await record()).toMatchObject({ fence: lease.fence });
    const successor = await take("a", "a-2");
    expect(successor.lease.fence).toBeGreaterThan(lease.fence);
  });

  it("is lost when another held and released it while its holder was suspended", async () => {
    const { take, isFreeFor, storeClock } = await scene();
    const { clock, outcome } = await take("a");
    await storeClock.advance(TTL_MS);
    await (await take("b")).lease.release();
    await clock.advance(RENEW_MS);
    expect(outcome.now).toMatchObject({ code: "KN_FENCED" });
    expect(await isFreeFor("c")).toBe(true);
  });

  it("is not confirmed from one TTL after the last renewal, by the clock of its holder, until it is renewed", async () => {
    const { take, leases } = await scene();
    const { lease, clock, outcome } = await take("a");
    await clock.advance(RENEW_MS); // renewed at 2 s
    leases.faults.now = failAlways();
    await clock.advance(TTL_MS - 1);
    expect(lease.isConfirmed).toBe(true);
    await clock.advance(1);
    expect(lease.isConfirmed).toBe(false);
    leases.faults.now = undefined;
    await clock.advance(RENEW_MS);
    expect(lease.isConfirmed).toBe(true);
    expect(outcome.now).toBe("held");
    await lease.release();
    expect(lease.isConfirmed).toBe(false);
  });

  it("is not confirmed at the moment in which a suspended holder wakes, before any timer fires", async () => {
    const { take } = await scene();
    const { lease, clock } = await take("a");
    clock.advanceSync(TTL_MS);
    expect(lease.isConfirmed).toBe(false);
  });

  it("is released at the end of its scope", async () => {
    const { node, options, isFreeFor } = await scene();
    const { deps, clock } = node();
    {
      await using lease = await acquireLease(options("a"), deps, new AbortController().signal);
      expect(lease.isConfirmed).toBe(true);
      expect(await isFreeFor("b")).toBe(false);
    }
    expect(await isFreeFor("b")).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("can be taken at once after its release, and has ended without an error", async () => {
    const { take, isFreeFor } = await scene();
    const { lease, clock, outcome } = await take("a");
    expect(await isFreeFor("b")).toBe(false);
    await lease.release();
    expect(outcome.now).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
    expect(await isFreeFor("b")).toBe(true);
  });

  it("outlives a store that is away, for longer than its own life too", async () => {
    const { take, leases, record, storeClock } = await scene();
    const { lease, clock, outcome } = await take("a");
    leases.faults.now = failAlways();
    await clock.advance(10 * TTL_MS);
    await storeClock.advance(10 * TTL_MS);
    expect(outcome.now).toBe("held");
    leases.faults.now = undefined;
    await clock.advance(RENEW_MS);
    expect(await record()).toMatchObject({ fence: lease.fence });
  });

  it("goes on when a renewal was made and only its answer was lost", async () => {
    const { take, leases } = await scene();
    const { lease, clock, outcome } = await take("a");
    leases.faults.now = failAlways({ isChange: true }, { kind: "unanswered" });
    await clock.advance(RENEW_MS);
    leases.faults.now = undefined;
    await clock.advance(3 * RENEW_MS);
    expect(outcome.now).toBe("held");
    await lease.release();
    expect(await leases.get(KEY)).toBeUndefined();
  });

  it("is given up silently while the store is away: it expires", async () => {
    const { take, leases, isFreeFor, storeClock } = await scene();
    const { lease } = await take("a");
    leases.faults.now = failAlways();
    await lease.release();
    leases.faults.now = undefined;
    expect(await isFreeFor("b")).toBe(false);
    await storeClock.advance(TTL_MS);
    expect(await isFreeFor("b")).toBe(true);
  });
});
