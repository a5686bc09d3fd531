/**
 * The office of a run's controller: the run's record, the lease with its term, and the work done under it. The lease is
 * released after that work, and taken again only after it was released.
 */
import type { Clock } from "../runtime/clock/index.ts";
import { tryLease } from "../runtime/lease/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { COORDINATOR } from "../run-spec/index.ts";
import { abortOf } from "./abort.ts";
import { PRESENCE_TTL_MS, type RunRecordEntry } from "./records.ts";
import { type CoordinationEnd, TICK_MS } from "./run-controller-chart.ts";
import { blankTerm, restoreTerm, type RunTerm, type RunTermDeps } from "./run-term.ts";

export interface RunOfficeOptions {
  readonly node: string;
  readonly instance: string;
}

export interface RunOfficeDeps extends RunTermDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (event: "LeaseTaken" | "LeaseLost") => void;
}

export interface RunOffice {
  /** The run's record now. */
  record: RunRecordEntry;
  /** @returns whether it is this node's turn to take the lease. To be called every tick. */
  look(): Promise<boolean>;
  /** Takes the lease and holds it until the signal aborts; resolves at once when it is not free. */
  holdLease(signal: AbortSignal): Promise<void>;
  /** @returns an outcome that an earlier controller wrote already */
  restore(): Promise<CoordinationEnd | undefined>;
  /** Works on the term; the lease is released afterwards. Rejects with a TypeError while this node does not hold the lease. */
  during<T>(work: (term: RunTerm) => Promise<T>): Promise<T>;
  /** Resolves when the work is done and the lease released. */
  settled(): Promise<void>;
}

/** A node without the assignment takes the lease once it was free for so long: the assigned one goes first. */
const VACANT_TICKS = (2 * PRESENCE_TTL_MS) / TICK_MS;

export function createRunOffice(
  first: RunRecordEntry,
  { node, instance }: RunOfficeOptions,
  deps: RunOfficeDeps,
): RunOffice {
  const { run } = first;
  const { fleet, clock, log, tell } = deps;
  const leaseKey = `${run}.${COORDINATOR}`;
  const working = new Set<Promise<unknown>>();
  const holding = new Set<Promise<unknown>>();
  let vacantTicks = 0;
  let term: RunTerm | undefined;

  const hold = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(holding);
    if (signal.aborted) return;
    const taken = await tryLease(
      { key: leaseKey, holder: node, instance, ttlMs: PRESENCE_TTL_MS },
      { leases: fleet.leases, fences: fleet.fences, clock, log },
    );
    if (taken === undefined) return;
    await using lease = taken;
    if (!signal.aborted) {
      term = blankTerm(lease, office.record, deps);
      log.info({ run, fence: lease.fence }, "in office");
      tell("LeaseTaken");
    }
    void lease.ended.then((lost) => {
      if (lost instanceof Error) tell("LeaseLost");
    });
    await abortOf(signal);
    await Promise.all(working);
  };

  const inOffice = async <T>(work: (of: RunTerm) => Promise<T>): Promise<T> => {
    if (term === undefined) throw new TypeError(`${run} has no controller in office here`);
    return work(term);
  };
  const during: RunOffice["during"] = (work) => trackIn(working, inOffice(work));

  const office: RunOffice = {
    record: first,
    async look() {
      if (office.record.desired === "ended") return false;
      const isVacant = (await fleet.leases.get(leaseKey)) === undefined;
      vacantTicks = isVacant ? vacantTicks + 1 : 0;
      return office.record.actors[COORDINATOR] === node || vacantTicks >= VACANT_TICKS;
    },
    holdLease: (signal) => trackIn(holding, hold(signal)),
    restore: () =>
      during(async (blank) => {
        const restored = await restoreTerm(blank, deps);
        term = restored;
        return restored.outcome === undefined ? undefined : { outcome: restored.outcome, hasNext: false };
      }),
    during,
    async settled() {
      await Promise.all([...working, ...holding]);
    },
  };
  return office;
}

/** Keeps `work` in `set` until it is settled. */
function trackIn<T>(set: Set<Promise<unknown>>, work: Promise<T>): Promise<T> {
  const done = work
    .catch(() => undefined)
    .finally(() => {
      set.delete(done);
    });
  set.add(done);
  return work;
}
