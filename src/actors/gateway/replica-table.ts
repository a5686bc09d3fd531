/** What a gateway knows of the replicas of its model, and the routes through them. Plain state. */
import type { Failure, ReplicaState } from "../../messages/index.ts";

export interface KnownReplica {
  readonly id: string;
  readonly instance: string;
  readonly slice: number;
  readonly slices: number;
  /** Releases that it computes. */
  readonly ready: ReadonlySet<number>;
  readonly refused: ReadonlyMap<number, Failure>;
  /** Batches of this gateway that are under way through it. */
  readonly inFlight: number;
  /** When its state came last. */
  readonly heardMs: number;
  /** Name of its machine. */
  readonly host: string;
}

export interface ReplicaTable {
  readonly replicas: readonly KnownReplica[];
  /** @returns false when it replaces another process of that name: batches of that one are lost */
  observe(id: string, state: ReplicaState, nowMs: number): boolean;
  /** It computes what it has, and takes nothing more. */
  retire(id: string): void;
  /** It is not there any more. */
  lose(id: string): void;
  /** It does not compute this release, whatever it announced. */
  lacks(id: string, release: number): void;
  /** Until then its slice is computed by others, where there are any. */
  avoid(id: string, untilMs: number): void;
  /** It has no room for a batch until then, whatever its credits are: other gateways use it too. */
  fill(id: string, untilMs: number): void;
  /**
   * The connection to all of them is away: nothing is sent, and for `OUTAGE_PATIENCE_MS` silence says nothing about them.
   */
  suspend(nowMs: number): void;
  /** It is back: each has from now on its time to be heard. */
  resume(nowMs: number): void;
  readonly isSuspended: boolean;
  has(id: string): boolean;
  /** Whether it has said, some time after `sinceMs`, that it had no batch. */
  isIdleSince(id: string, sinceMs: number): boolean;
  /** Whether no state of it has come after `sinceMs`; true of one that is not known. */
  isSilentSince(id: string, sinceMs: number): boolean;
  /** Replicas without a state for `maxSilenceMs`. */
  silent(nowMs: number, maxSilenceMs: number): readonly string[];
  /** Whether every slice has a replica that computes `release`. */
  isCovered(release: number): boolean;
  /** Whether all slices are covered, and every replica of this topology that computes anything computes `release`. */
  isEverywhere(release: number): boolean;
  /** Batches of `release` that can be computed beside one another; 0: it is not covered. */
  lanes(release: number): number;
  /** Why a replica refused `release`. */
  refusalOf(release: number): { readonly replica: string; readonly failure: Failure } | undefined;
  /** The least busy replica of each slice that computes `release`; undefined: one of the slices has none with a credit. */
  route(release: number, nowMs: number): readonly string[] | undefined;
  begin(route: readonly string[]): void;
  end(route: readonly string[]): void;
}

interface Entry {
  id: string;
  instance: string;
  slice: number;
  slices: number;
  ready: Set<number>;
  refused: Map<number, Failure>;
  inFlight: number;
  heardMs: number;
  avoidedUntilMs: number;
  fullUntilMs: number;
  /** When it last said that it had no batch. */
  idleMs: number;
  host: string;
}

/** A batch that was sent is at its replica, or in its announcements, after so long at the latest, ms. */
const ARRIVAL_MS = 500;

/** A server that restarts is back within this time, ms; requests wait for it that long, within their deadlines. */
const OUTAGE_PATIENCE_MS = 5_000;

/** Replicas that compute a release, by slice. */
type Cover = readonly (readonly Entry[])[];
const NOBODY: Cover = [];

export function createReplicaTable(): ReplicaTable {
  const entries = new Map<string, Entry>();
  /** By release, until a replica changes: asked for each request. */
  const covers = new Map<number, Cover>();
  let suspendedMs: number | undefined;

  const changed = (): void => {
    covers.clear();
  };

  /** Of the topologies that cover it the finest: while a model goes over from one to another both are there. */
  const find = (release: number): Cover => {
    const computing = [...entries.values()].filter(({ ready }) => ready.has(release));
    const topologies = [...new Set(computing.map(({ slices }) => slices))].sort((a, b) => b - a);
    for (const slices of topologies) {
      const bySlice = Array.from({ length: slices }, (_, slice) =>
        computing.filter((each) => each.slices === slices && each.slice === slice),
      );
      if (bySlice.every((each) => each.length > 0)) return bySlice;
    }
    return NOBODY;
  };
  const coverOf = (release: number): Cover => {
    const known = covers.get(release);
    if (known !== undefined) return known;
    const found = find(release);
    covers.set(release, found);
    return found;
  };

  /** One batch in each other slice, one here, and one that waits. */
  const hasCredit = ({ inFlight, slices }: Entry): boolean => inFlight < slices + 1;

  /** One that is avoided only where all are: the others' next credit is worth the wait. */
  const leastBusy = (computing: readonly Entry[], nowMs: number): Entry | undefined => {
    const areAvoided = computing.every((each) => nowMs < each.avoidedUntilMs);
    let least: Entry | undefined;
    for (const each of computing) {
      if (!hasCredit(each) || nowMs < each.fullUntilMs || (nowMs < each.avoidedUntilMs && !areAvoided)) continue;
      if (least === undefined || each.inFlight < least.inFlight) least = each;
    }
    return least;
  };

  return {
    get replicas() {
      return [...entries.values()];
    },
    observe(id, { instance, slice, slices, held, inFlight, host }, nowMs) {
      const before = entries.get(id);
      const isSame = before === undefined || before.instance === instance;
      const kept = isSame ? before : undefined;
      const ready = held.filter(({ state }) => state === "ready").map(({ release }) => release);
      const refused = held.flatMap((each): [number, Failure][] =>
        each.state === "refused" ? [[each.release, each.failure]] : [],
      );
      entries.set(id, {
        id,
        instance,
        slice,
        slices,
        ready: new Set(ready),
        refused: new Map(refused),
        inFlight: kept?.inFlight ?? 0,
        heardMs: nowMs,
        host,
        avoidedUntilMs: kept?.avoidedUntilMs ?? 0,
        fullUntilMs: kept?.fullUntilMs ?? 0,
        idleMs: inFlight === 0 ? nowMs : (kept?.idleMs ?? 0),
      });
      changed();
      return isSame;
    },
    retire(id) {
      entries.get(id)?.ready.clear();
      changed();
    },
    lose(id) {
      entries.delete(id);
      changed();
    },
    lacks(id, release) {
      entries.get(id)?.ready.delete(release);
      changed();
    },
    avoid(id, untilMs) {
      const entry = entries.get(id);
      if (entry !== undefined) entry.avoidedUntilMs = Math.max(entry.avoidedUntilMs, untilMs);
    },
    fill(id, untilMs) {
      const entry = entries.get(id);
      if (entry !== undefined) entry.fullUntilMs = untilMs;
    },
    suspend(nowMs) {
      suspendedMs ??= nowMs;
    },
    resume(nowMs) {
      suspendedMs = undefined;
      for (const entry of entries.values()) entry.heardMs = nowMs;
    },
    get isSuspended() {
      return suspendedMs !== undefined;
    },
    has: (id) => entries.has(id),
    isIdleSince: (id, sinceMs) => (entries.get(id)?.idleMs ?? Infinity) > sinceMs + ARRIVAL_MS,
    isSilentSince: (id, sinceMs) => (entries.get(id)?.heardMs ?? -Infinity) <= sinceMs,
    silent(nowMs, maxSilenceMs) {
      if (suspendedMs !== undefined && nowMs - suspendedMs < OUTAGE_PATIENCE_MS) return [];
      return [...entries.values()].filter(({ heardMs }) => nowMs - heardMs > maxSilenceMs).map(({ id }) => id);
    },
    isCovered: (release) => coverOf(release).length > 0,
    isEverywhere(release) {
      const slices = coverOf(release).length;
      if (slices === 0) return false;
      for (const each of entries.values())
        if (each.slices === slices && each.ready.size > 0 && !each.ready.has(release)) return false;
      return true;
    },
    lanes(release) {
      const cover = coverOf(release);
      return cover.length === 0 ? 0 : cover.reduce((least, each) => Math.min(least, each.length), Infinity);
    },
    refusalOf(release) {
      for (const { id, refused } of entries.values()) {
        const failure = refused.get(release);
        if (failure !== undefined) return { replica: id, failure };
      }
      return undefined;
    },
    route(release, nowMs) {
      if (suspendedMs !== undefined) return undefined;
      const cover = coverOf(release);
      const route: string[] = [];
      for (const computing of cover) {
        const found = leastBusy(computing, nowMs);
        if (found === undefined) return undefined;
        route.push(found.id);
      }
      return route.length === 0 ? undefined : route;
    },
    begin(route) {
      for (const id of route) {
        const entry = entries.get(id);
        if (entry !== undefined) entry.inFlight += 1;
      }
    },
    end(route) {
      for (const id of route) {
        const entry = entries.get(id);
        if (entry !== undefined) entry.inFlight = Math.max(0, entry.inFlight - 1);
      }
    },
  };
}
