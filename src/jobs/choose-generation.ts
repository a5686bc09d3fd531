/** Chooses the newest committed generation that loads; a damaged one falls back to the previous one. */
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import type { Checkpoints, Manifest } from "../runtime/artifacts/index.ts";

/**
 * @param phase of the run; omitted: the last one.
 * @param onDamaged called with each generation that is skipped.
 * @returns undefined when the run has no checkpoint at all. Rejects with KN_CHECKPOINT when all of them are damaged,
 * with KN_UNAVAILABLE when the store cannot be read: an outage is not damage.
 */
export async function chooseGeneration(
  checkpoints: Pick<Checkpoints, "manifests" | "load">,
  onDamaged: (manifest: Manifest, error: unknown) => void,
  phase?: string,
): Promise<Manifest | undefined> {
  const manifests = (await checkpoints.manifests()).filter((each) => phase === undefined || each.phase === phase);
  let damage: unknown;
  for (const manifest of manifests) {
    try {
      for (const actor of Object.keys(manifest.actors)) await checkpoints.load(actor, manifest);
      return manifest;
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      damage = error;
      onDamaged(manifest, error);
    }
  }
  if (damage === undefined) return undefined;
  throw new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: "resume",
    rule: "at least one generation must load",
    value: `${manifests.length} damaged`,
    remedy: "start another run",
    cause: damage,
  });
}
