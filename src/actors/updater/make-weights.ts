/** Makes the weights of a plan on a copy, and a release of them. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Model, ModelRelease, NamedTensors } from "../../models/index.ts";
import type { UpdatePlan } from "../../models/updates/index.ts";
import { shapesOf, type SiteWeights } from "./site-weights.ts";
import type { UpdaterActorDeps } from "./updater-options.ts";
import type { UpdaterRecord } from "./updater-state.ts";

/**
 * - `made`: the release holds the weights of the plan
 * - `lost`: the weights that it starts from are gone
 * - `failed`: its steps do not make the trainer's weights, or make some that cannot be served
 */
export type MadeWeights =
  | { readonly outcome: "made"; readonly release: number }
  | { readonly outcome: "lost" }
  | { readonly outcome: "failed"; readonly error: Error };

export interface MakeWeightsDeps extends Pick<UpdaterActorDeps, "apply" | "clock"> {
  readonly model: Model;
  readonly weights: SiteWeights;
}

/**
 * @param kept of the record
 * @param live release whose facts a release of first weights has
 * Rejects with what passes: a store that is away or full, a thread that ended.
 */
export async function makeWeights(
  { start, steps, result }: UpdatePlan,
  { kept, live }: { readonly kept: UpdaterRecord["kept"]; readonly live: number | undefined },
  { model, weights, apply, clock }: MakeWeightsDeps,
): Promise<MadeWeights> {
  const number = kept.find(({ digest }) => digest === start?.digest)?.release;
  let base: ModelRelease;
  let before: NamedTensors | undefined;
  try {
    if (start === undefined) base = await weights.pattern(live);
    else if (number === undefined) return { outcome: "lost" };
    else base = await model.release(number);
    if (steps.length === 0) return { outcome: "made", release: base.release };
    const found = await weights.find(result);
    if (found !== undefined) return { outcome: "made", release: found.release };
    if (start !== undefined) before = await weights.load(base);
  } catch (error) {
    if (start !== undefined && isKnowledgeNetError(error, "KN_CONFIG", "KN_CHECKPOINT")) return { outcome: "lost" };
    throw error;
  }
  try {
    const tensors = await apply(steps, shapesOf(base.manifest.network), before);
    const createdAt = new Date(clock.wallTimeMs()).toISOString();
    return { outcome: "made", release: (await weights.publish(base, tensors, result, createdAt)).release };
  } catch (error) {
    // A full disk may have room later.
    if (isKnowledgeNetError(error, "KN_DECODE", "KN_CHECKPOINT") && !error.mayPass) return { outcome: "failed", error };
    throw error;
  }
}
