/** The weights that a site has: each lies in a release of its model, under the digest of its tensors in the record. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { NumberedWeights } from "../../messages/index.ts";
import { type Model, type ModelRelease, type NamedTensors, partsOf, weightShapesOf } from "../../models/index.ts";
import { digestOfTensors, type TensorShapes, UPDATE_ORIGIN } from "../../models/updates/index.ts";
import type { ModelSpec } from "../../run-spec/index.ts";

export interface SiteWeights {
  /** All tensors of a release, owned by the caller. Rejects as `Model.release` and `Model.loadPart`. */
  load(release: ModelRelease): Promise<NamedTensors>;
  /**
   * A release of the network that updates are of: the live one, else the newest. Rejects with KN_UNAVAILABLE when there is
   * none.
   */
  pattern(live: number | undefined): Promise<ModelRelease>;
  /** The release that an update has made, where one was published and the record of it was lost. */
  find(made: NumberedWeights): Promise<ModelRelease | undefined>;
  /** A release of these tensors with the facts of the one that it builds on. Rejects as `Model.publish`. */
  publish(base: ModelRelease, tensors: NamedTensors, made: NumberedWeights, createdAt: string): Promise<ModelRelease>;
  /** Deletes the oldest of its own releases beyond `kept`; those in `used` stay. */
  retain(kept: number, used: readonly number[]): Promise<void>;
}

export function siteWeights(model: Model): SiteWeights {
  const load = async (release: ModelRelease): Promise<NamedTensors> => {
    const parts: NamedTensors[] = [];
    for (const block of release.digests.keys()) parts.push(await model.loadPart(release, block));
    return Object.assign({}, ...parts) as NamedTensors;
  };
  const hasDigest = async (release: ModelRelease, digest: string): Promise<boolean> => {
    try {
      return digestOfTensors(await load(release)) === digest;
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_CHECKPOINT")) return false; // damaged, or deleted meanwhile
      throw error;
    }
  };

  return {
    load,
    async find({ number, digest }) {
      const { retired } = await model.live();
      for (const release of await model.releases()) {
        const { kind, generation } = release.manifest.origin;
        const isUsable = release.signature.kind !== "refused" && !retired.includes(release.release);
        if (kind === UPDATE_ORIGIN && generation === number && isUsable && (await hasDigest(release, digest)))
          return release;
      }
      return undefined;
    },
    async pattern(live) {
      if (live !== undefined) return model.release(live);
      const [newest] = (await model.releases()).filter(({ signature }) => signature.kind !== "refused");
      if (newest !== undefined) return newest;
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `follow the updates of ${model.name}`,
        rule: "the model must have a release that they build on",
        value: "none",
        remedy: `publish the network that the learner began with: kn publish RUN --model ${model.name}`,
      });
    },
    publish({ manifest }, tensors, { number }, createdAt) {
      const { format: _format, model: _model, evaluation: _evaluation, origin, ...facts } = manifest;
      return model.publish(
        { ...facts, origin: { ...origin, kind: UPDATE_ORIGIN, phase: UPDATE_ORIGIN, generation: number }, createdAt },
        partsOf(manifest.network, tensors),
      );
    },
    async retain(kept, used) {
      await model.retain(
        kept,
        ({ release, manifest }) => manifest.origin.kind === UPDATE_ORIGIN && !used.includes(release),
      );
    },
  };
}

/** Shape of each tensor of a network, whatever block it is in. */
export function shapesOf(network: ModelSpec): TensorShapes {
  return Object.assign({}, ...weightShapesOf(network)) as TensorShapes;
}
