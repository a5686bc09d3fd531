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
}

export interface ReplicaTable {
  readonly replicas: readonly KnownReplica[];
  /** Slices of the network; 0: no replica is known. */
  readonly slices: number;
  /** @returns false when it replaces another process of that name: batches of that one are lost */
  observe(id: string, state: ReplicaState, nowMs: number): boolean;
  /** It computes what it has, and takes nothing more. */
  retire(id: string): void;
  /** It is not there any more. */
  lose(id: string): void;
  /** It does not compute this release, whatever it announced. */
  lacks(id: string, release: number): void;
  /** Replicas without a state for `maxSilenceMs`. */
  silent(nowMs: number, maxSilenceMs: number): readonly string[];
  /** Whether every slice has a replica that computes `release`. */
  isCovered(release: number): boolean;
  /** Whether every replica that computes anything computes `release`, and all slices are covered. */
  isEverywhere(release: number): boolean;
  /** Why a replica refused `release`. */
  refusalOf(release: number): { readonly replica: string; readonly failure: Failure } | undefined;
  /** The least busy replica of each slice that computes `release`; undefined: one of the slices has none with a credit. */
  route(release: number): readonly string[] | undefined;
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
}

export function createReplicaTable(): ReplicaTable {
  const entries = new Map<string, Entry>();

  /** Of the newest topology: replicas of another one are on their way out. */
  const slices = (): number => [...entries.values()].reduce((most, each) => Math.max(most, each.slices), 0);
  const current = (): Entry[] => {
    const number = slices();
    return [...entries.values()].filter((each) => each.slices === number);
  };
  /** One batch in each other slice, one here, and one that waits. */
  const hasCredit = ({ inFlight }: Entry, number: number): boolean => inFlight < number + 1;

  const computing = (release: number): Entry[][] => {
    const number = slices();
    const bySlice: Entry[][] = Array.from({ length: number }, () => []);
    for (const entry of current()) if (entry.ready.has(release)) bySlice[entry.slice]?.push(entry);
    return bySlice;
  };
  const isCovered = (release: number): boolean => {
    const bySlice = computing(release);
    return bySlice.length > 0 && bySlice.every((each) => each.length > 0);
  };

  return {
    get replicas() {
      return [...entries.values()];
    },
    get slices() {
      return slices();
    },
    observe(id, { instance, slice, slices: number, held }, nowMs) {
      const before = entries.get(id);
      const isSame = before === undefined || before.instance === instance;
      const ready = held.filter(({ state }) => state === "ready").map(({ release }) => release);
      const refused = held.flatMap((each): [number, Failure][] =>
        each.state === "refused" ? [[each.release, each.failure]] : [],
      );
      entries.set(id, {
        id,
        instance,
        slice,
        slices: number,
        ready: new Set(ready),
        refused: new Map(refused),
        inFlight: isSame ? (before?.inFlight ?? 0) : 0,
        heardMs: nowMs,
      });
      return isSame;
    },
    retire(id) {
      entries.get(id)?.ready.clear();
    },
    lose(id) {
      entries.delete(id);
    },
    lacks(id, release) {
      entries.get(id)?.ready.delete(release);
    },
    silent: (nowMs, maxSilenceMs) =>
      [...entries.values()].filter(({ heardMs }) => nowMs - heardMs > maxSilenceMs).map(({ id }) => id),
    isCovered,
    isEverywhere: (release) =>
      isCovered(release) && current().every(({ ready }) => ready.size === 0 || ready.has(release)),
    refusalOf(release) {
      for (const { id, refused } of current()) {
        const failure = refused.get(release);
        if (failure !== undefined) return { replica: id, failure };
      }
      return undefined;
    },
    route(release) {
      const bySlice = computing(release);
      const route: string[] = [];
      for (const candidates of bySlice) {
        const free = candidates.filter((each) => hasCredit(each, bySlice.length));
        if (free.length === 0) return undefined;
        route.push(free.reduce((a, b) => (b.inFlight < a.inFlight ? b : a)).id);
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
