/** The newest checkpoint that is whole: a damaged one falls back to the one before. */
import { KnowledgeNetError } from "../errors/index.ts";
import type { Checkpoints, Manifest } from "../runtime/artifacts/index.ts";

/**
 * @param phase of which phase of the run; omitted: whichever came last.
 * @param onDamaged told of each generation that is passed over.
 * @returns undefined when the run has no checkpoint at all. Rejects with KN_CHECKPOINT when all of them are damaged.
 */
export async function chooseGeneration(
  checkpoints: Checkpoints,
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
      damage = error;
      onDamaged(manifest, error);
    }
  }
  if (damage === undefined) return undefined;
  throw new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: "resume",
    rule: "one generation at least must be whole",
    value: `${manifests.length} damaged`,
    remedy: "start the run anew",
    cause: damage,
  });
}
