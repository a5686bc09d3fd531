/** Which states of one actor are kept. Pure. */
import { newestFirst, type SavedState } from "./artifact-names.ts";
import type { Manifest } from "./manifest.ts";

/** Newest states of an actor kept whatever the manifests name: the last one, and one to fall back to when it is damaged. */
const KEPT_OWN = 2;
/** States kept while they wait for their manifest. A run has one generation in flight, an actor that leaves adds one. */
const KEPT_UNCOMMITTED = 4;

/**
 * @param states of one actor
 * @returns the states to delete. A state that a manifest names stays; one newer than the newest committed generation may
 * still be committed, so only a newer committed generation lets it go, or the bound on uncommitted ones.
 */
export function statesToDelete(
  actor: string,
  states: readonly SavedState[],
  manifests: readonly Manifest[],
): readonly SavedState[] {
  const ordered = [...states].sort(newestFirst);
  const named = new Set(manifests.map(({ actors }) => actors[actor]));
  const committed = manifests.find(({ actors }) => actors[actor] !== undefined);
  const isUncommitted = (state: SavedState): boolean => committed === undefined || newestFirst(state, committed) < 0;
  return ordered.filter((state, index) => {
    if (named.has(state.digest) || index < KEPT_OWN) return false;
    return !isUncommitted(state) || index >= KEPT_UNCOMMITTED;
  });
}
