/** The releases of one replica and what is to be done about them. Plain state with pure transitions. */
import type { Failure, HeldRelease } from "../../messages/index.ts";

export interface HeldReleases {
  /** Releases that are loading, ready or refused, in the order in which they are wanted. */
  readonly list: readonly HeldRelease[];
  isReady(release: number): boolean;
  /** Another set is wanted, the most urgent first. A refused one that is not wanted any more is forgotten. */
  want(releases: readonly number[]): void;
  /** The most urgent one that is to be loaded. */
  nextToLoad(): number | undefined;
  loaded(release: number): void;
  refused(release: number, failure: Failure): void;
  /** A batch of it is computed from now on, or not any more: it is not dropped meanwhile. */
  use(release: number): void;
  unuse(release: number): void;
  /** Whether `takeUnwanted` would take any. */
  readonly hasUnwanted: boolean;
  /** Takes out the ready ones that are neither wanted nor used. @returns them: they are to be dropped */
  takeUnwanted(): readonly number[];
}

export function createHeldReleases(): HeldReleases {
  let wanted: readonly number[] = [];
  const ready = new Set<number>();
  const refusals = new Map<number, Failure>();
  const uses = new Map<number, number>();

  const unwanted = (): number[] => [...ready].filter((release) => !wanted.includes(release) && !uses.has(release));

  return {
    get list() {
      const leaving = [...ready].filter((release) => !wanted.includes(release));
      return [...wanted, ...leaving].map((release): HeldRelease => {
        const failure = refusals.get(release);
        if (failure !== undefined) return { release, state: "refused", failure };
        return { release, state: ready.has(release) ? "ready" : "loading" };
      });
    },
    isReady: (release) => ready.has(release),
    want(releases) {
      wanted = [...new Set(releases)];
      for (const release of [...refusals.keys()]) if (!wanted.includes(release)) refusals.delete(release);
    },
    nextToLoad: () => wanted.find((release) => !ready.has(release) && !refusals.has(release)),
    loaded(release) {
      ready.add(release);
    },
    refused(release, failure) {
      if (wanted.includes(release)) refusals.set(release, failure);
    },
    use(release) {
      uses.set(release, (uses.get(release) ?? 0) + 1);
    },
    unuse(release) {
      const left = (uses.get(release) ?? 0) - 1;
      if (left > 0) uses.set(release, left);
      else uses.delete(release);
    },
    get hasUnwanted() {
      return unwanted().length > 0;
    },
    takeUnwanted() {
      const taken = unwanted();
      for (const release of taken) ready.delete(release);
      return taken;
    },
  };
}
