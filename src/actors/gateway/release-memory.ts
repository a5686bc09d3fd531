/** Manifests and figures of the releases that were of use lately. Plain state. */
import type { ServedRelease } from "./inference.ts";
import { noFigures, type ReleaseFigures } from "./release-guard.ts";

/** A release whose manifest is known. */
export interface KnownRelease extends ServedRelease {
  /** Shape of one sample of its input, as text. */
  readonly sampleShape: string;
}

export interface ReleaseMemory {
  /** Those whose manifests are known. */
  readonly known: readonly number[];
  find(release: number): KnownRelease | undefined;
  /** @param kept releases that are not forgotten for it */
  learn(release: KnownRelease, kept: readonly number[]): void;
  /** Figures by which a release is judged; the caller adds to them. */
  figures(release: number): ReleaseFigures;
  /** Its figures begin anew. */
  forgetFigures(release: number): void;
}

/** Manifests and figures of so many releases are remembered. */
const REMEMBERED = 16;

export function createReleaseMemory(): ReleaseMemory {
  const manifests = new Map<number, KnownRelease>();
  const allFigures = new Map<number, ReleaseFigures>();
  return {
    get known() {
      return [...manifests.keys()];
    },
    find: (release) => manifests.get(release),
    learn(release, kept) {
      manifests.set(release.release, release);
      forgetOldest(manifests, kept);
    },
    figures(release) {
      const found = allFigures.get(release);
      if (found !== undefined) return found;
      const fresh = noFigures();
      allFigures.set(release, fresh);
      forgetOldest(allFigures, []);
      return fresh;
    },
    forgetFigures(release) {
      allFigures.delete(release);
    },
  };
}

function forgetOldest(map: Map<number, unknown>, kept: readonly number[]): void {
  for (const key of map.keys()) {
    if (map.size <= REMEMBERED) return;
    if (!kept.includes(key)) map.delete(key);
  }
}
