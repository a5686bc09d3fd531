/**
 * The releases of one replica and what is to be done about them. Plain state with pure transitions.
 *
 * A release that is not wanted any more is kept while gateways may still compute with it: they go over to the live one when
 * all replicas have it, and some may be slower than this one. The first batch of the live release shows that they have.
 */
import type { Failure, HeldRelease } from "../../messages/index.ts";

export interface HeldReleases {
  /** Releases that are loading, ready or refused, in the order in which they are wanted. */
  readonly list: readonly HeldRelease[];
  /** Any of them can be computed with. */
  readonly isAnyReady: boolean;
  isReady(release: number): boolean;
  /** Another set is wanted, the most urgent first: the live one. A refused one that is not wanted any more is forgotten. */
  want(releases: readonly number[], nowMs: number): void;
  /** The most urgent one that is to be loaded. */
  nextToLoad(): number | undefined;
  loaded(release: number, nowMs: number): void;
  refused(release: number, failure: Failure): void;
  /** A batch of it is computed from now on, or not any more: it is not dropped meanwhile. */
  use(release: number): void;
  unuse(release: number): void;
  /** Whether `takeUnwanted` would take any. */
  hasUnwanted(nowMs: number): boolean;
  /** Takes out the ready ones that are neither wanted nor of use to a gateway. @returns them: they are to be dropped */
  takeUnwanted(nowMs: number): readonly number[];
}

/** Without batches an unwanted release is kept for so long, ms: longer than gateways wait for replicas that load. */
export const KEPT_MS = 12_000;
/** Unwanted releases that are kept, those used last: promotions one after another must not fill memory. */
const MOST_KEPT = 2;

export function createHeldReleases(): HeldReleases {
  let wanted: readonly number[] = [];
  /** A batch of the live release has come since it is the live one. */
  let isLiveUsed = false;
  const ready = new Set<number>();
  /** Ready ones that are not wanted, since when; what was used last is last. */
  const leaving = new Map<number, number>();
  const refusals = new Map<number, Failure>();
  const uses = new Map<number, number>();

  const mayLeave = (nowMs: number): number[] => {
    const unused = [...leaving].filter(([release]) => !uses.has(release));
    const surplus = leaving.size - MOST_KEPT;
    return unused
      .filter(([, sinceMs], index) => isLiveUsed || index < surplus || nowMs - sinceMs >= KEPT_MS)
      .map(([release]) => release);
  };

  return {
    get list() {
      return [...wanted, ...leaving.keys()].map((release): HeldRelease => {
        const failure = refusals.get(release);
        if (failure !== undefined) return { release, state: "refused", failure };
        return { release, state: ready.has(release) ? "ready" : "loading" };
      });
    },
    get isAnyReady() {
      return ready.size > 0;
    },
    isReady: (release) => ready.has(release),
    want(releases, nowMs) {
      if (releases[0] !== wanted[0]) isLiveUsed = false;
      wanted = [...new Set(releases)];
      for (const release of ready) {
        if (wanted.includes(release)) leaving.delete(release);
        else if (!leaving.has(release)) leaving.set(release, nowMs);
      }
      for (const release of [...refusals.keys()]) if (!wanted.includes(release)) refusals.delete(release);
    },
    nextToLoad: () => wanted.find((release) => !ready.has(release) && !refusals.has(release)),
    loaded(release, nowMs) {
      ready.add(release);
      if (!wanted.includes(release)) leaving.set(release, nowMs);
    },
    refused(release, failure) {
      if (wanted.includes(release)) refusals.set(release, failure);
    },
    use(release) {
      if (release === wanted[0]) isLiveUsed = true;
      const sinceMs = leaving.get(release);
      if (sinceMs !== undefined) {
        leaving.delete(release);
        leaving.set(release, sinceMs);
        // A gateway that is not there yet; or one that knows of a promotion of it before this replica does.
        isLiveUsed = false;
      }
      uses.set(release, (uses.get(release) ?? 0) + 1);
    },
    unuse(release) {
      const left = (uses.get(release) ?? 0) - 1;
      if (left > 0) uses.set(release, left);
      else uses.delete(release);
    },
    hasUnwanted: (nowMs) => leaving.size > 0 && mayLeave(nowMs).length > 0,
    takeUnwanted(nowMs) {
      const taken = mayLeave(nowMs);
      for (const release of taken) {
        ready.delete(release);
        leaving.delete(release);
      }
      return taken;
    },
  };
}
