/** Copies one committed generation from store to store: the same blobs under the same names. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Store } from "../store/store.ts";
import { ARTIFACT_BLOBS, type ArtifactScope, stateName } from "./artifact-names.ts";
import { openCheckpoints } from "./checkpoints.ts";
import type { Manifest } from "./manifest.ts";
import { readArtifact } from "./read-artifact.ts";

/** Rejects with KN_CHECKPOINT when a state is absent or damaged at the source, or cannot be written; `to` is as before then. */
export async function copyGeneration(
  manifest: Manifest,
  scope: ArtifactScope,
  { from, to }: { readonly from: Store; readonly to: Store },
): Promise<void> {
  const [source, target] = [await from.blobs(ARTIFACT_BLOBS), await to.blobs(ARTIFACT_BLOBS)];
  for (const [actor, digest] of Object.entries(manifest.actors)) {
    const name = stateName(scope, actor, manifest, digest);
    const bytes = await readArtifact(source, name, digest);
    if (bytes === undefined) {
      throw new KnowledgeNetError("KN_CHECKPOINT", {
        attempt: `copy generation ${manifest.generation} of ${scope}`,
        rule: `the state of ${actor} must be in ${from.description}`,
        value: "absent",
        remedy: "use an older generation",
      });
    }
    await target.put(name, bytes);
  }
  await (await openCheckpoints(to, scope)).commit(manifest);
}
