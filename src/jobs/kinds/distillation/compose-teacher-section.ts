/** Options and collaborators of one teacher section. */
import { createTeacherSectionActor } from "../../../actors/teacher-section/index.ts";
import { openTeacher } from "../../../compute/index.ts";
import { encodedRowBytes, type BatchProvenance } from "../../../messages/index.ts";
import type { CachePartition } from "../../../runtime/cache/index.ts";
import { type DistillationSpec, layersOfBlocks, teacherActor } from "../../../run-spec/index.ts";
import type { ComposeContext, CreateActor } from "../../composer.ts";
import type { ComputeSite } from "../../compute-site.ts";
import { hintCacheKey } from "../../hint-cache-key.ts";
import { teacherModelOf } from "../../match-sections.ts";
import { createWorkerBoundActor } from "../../worker-bound-actor.ts";
import { hintCodec } from "../../wire-codec.ts";

/** @throws RangeError when the teacher has no section `index`. */
export function composeTeacherSection(
  spec: DistillationSpec,
  { id, index }: { readonly id: string; readonly index: number },
  site: ComputeSite,
  context: ComposeContext,
): CreateActor {
  const { plan, deps, shared, depsOf } = context;
  const slice = plan.teacherSlices[index];
  const layers = layersOfBlocks(teacherModelOf(spec))[index];
  if (slice === undefined || layers === undefined) throw new RangeError(`the teacher has no section ${index}`);
  const codec = hintCodec(spec.codecs.hint);
  return (fence) => {
    const actor = createTeacherSectionActor(
      {
        ...shared(id, fence, { section: String(index), layers: slice.layers.join(" ") }),
        index,
        sections: plan.slices.length,
        outputShape: slice.outputShape,
        codec,
        window: spec.flow.window,
        macs: slice.macs,
        queue: spec.teacher.replicas > 1 ? teacherActor(index) : undefined,
      },
      {
        ...depsOf(id, fence),
        openUnit: async (version) => {
          const weights = await deps.teachers.load(await deps.teachers.get(version), index);
          // Two versions are open during a change of the teacher.
          return openTeacher(await site.worker(), `${id}.${version}`, {
            inputShape: slice.inputShape,
            layers,
            weights,
          });
        },
        openCachePartition: partitionsOf(spec, index, context, encodedRowBytes(slice.outputShape, codec)),
      },
    );
    return createWorkerBoundActor(actor, site);
  };
}

/** Opens the cache partition of a batch; undefined if this node has no cache or it cannot be opened. */
function partitionsOf(
  spec: DistillationSpec,
  index: number,
  { plan, deps }: ComposeContext,
  recordBytes: number,
): (provenance: BatchProvenance) => Promise<CachePartition | undefined> {
  const codec = hintCodec(spec.codecs.hint);
  const keys = new Map<string, Promise<string>>();
  const keyOf = async ({ teacher, view, seed: viewSeed }: BatchProvenance): Promise<string> =>
    hintCacheKey({
      dataset: plan.dataset,
      layers: layersOfBlocks(teacherModelOf(spec)),
      digests: (await deps.teachers.get(teacher)).digests,
      section: index,
      codec,
      augmentation: spec.data.augmentation,
      view,
      viewSeed,
    });
  return async (provenance) => {
    const { cache, log } = deps;
    if (cache === undefined) return undefined;
    const name = `${provenance.teacher}/${provenance.view}/${provenance.seed}`;
    const key = keys.get(name) ?? keyOf(provenance);
    keys.set(name, key);
    try {
      return await cache.partition({ key: await key, recordBytes });
    } catch (error) {
      keys.delete(name);
      log.warn({ section: index, err: error }, "hints are not cached");
      return undefined;
    }
  };
}
