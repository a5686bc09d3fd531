/** A served model, or one release of it, for the protocol's descriptions. */
import { findRelease, type ServedModel } from "../../actors/gateway/index.ts";
import type { DescribedModel } from "../../messages/open-inference/index.ts";

/** @throws KnowledgeNetError KN_CONFIG for a version that is not served; KN_UNAVAILABLE where no release is live */
export function describeModel(model: ServedModel, version?: string): DescribedModel {
  const { release, manifest } = findRelease(model, version);
  const { inputs, outputs, classNames, origin, evaluation, image } = manifest;
  return {
    name: model.name,
    version: String(release),
    versions: version === undefined ? model.releases.map((each) => String(each.release)) : [String(release)],
    inputs,
    outputs,
    maxBatch: model.maxBatch,
    classNames,
    properties: {
      live: String(model.live?.release ?? ""),
      run: origin.run,
      generation: String(origin.generation),
      classes: JSON.stringify(classNames),
      ...(evaluation === undefined ? {} : { accuracy: String(evaluation.accuracy) }),
      ...(image === undefined ? {} : { image: `${image.height} x ${image.width} x ${image.channels}` }),
    },
  };
}
