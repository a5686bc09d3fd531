/** Initial weights of the whole student: from its own checkpoint if there is one, else stitched from its sections. */
import { stitchSections } from "../../../compute/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { SafetensorsContent } from "../../../messages/checkpoint/index.ts";
import { manifestAt } from "../../../runtime/artifacts/index.ts";
import { layersOfBlocks, type LayerSpec, type ModelSpec, STUDENT, studentActor } from "../../../run-spec/index.ts";
import type { ComposeContext } from "../../composer.ts";

/**
 * @param adapters layers at the end of each section; they are folded into the next one.
 * @returns undefined in the first phase. Rejects with KN_CHECKPOINT when the checkpoint is absent.
 */
export async function initialStudent(
  model: ModelSpec,
  adapters: readonly (readonly LayerSpec[])[],
  { plan, deps }: ComposeContext,
): Promise<SafetensorsContent | undefined> {
  const { from } = plan;
  if (from === undefined) return undefined;
  const { checkpoints } = deps;
  const manifest = manifestAt(await checkpoints.manifests(), from);
  if (manifest === undefined) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: "stitch the student",
      rule: `generation ${from.generation} of its sections must exist`,
      value: "absent",
      remedy: "resume the run from an older generation",
    });
  }
  if (STUDENT in manifest.actors) return checkpoints.load(STUDENT, from);
  const sections = await Promise.all(
    layersOfBlocks(model).map(async (layers, index) => ({
      layers,
      adapter: adapters[index] ?? [],
      tensors: (await checkpoints.load(studentActor(index), from)).tensors,
    })),
  );
  const metadata = { version: "0", consumed: String(plan.startAfter) };
  return { metadata, tensors: stitchSections(sections) };
}
