/**
 * Models: releases of trained networks, and which of them is live.
 *
 * @example
 * const model = openModel(modelsInStore(store), "digits", { clock });
 * for await (const { live } of model.changes(signal)) {
 *   if (live === undefined) continue;
 *   const release = await model.release(live);
 *   const weights = await model.loadPart(release, 0); // of the first block of release.manifest.network
 * }
 */
export { partsOf, weightShapesOf } from "./check-weights.ts";
export { liveAt } from "./history.ts";
export { type ListedModel, listModels } from "./list-models.ts";
export {
  type Candidate,
  CANDIDATE_MODES,
  type ChangeNote,
  type LiveChange,
  type LiveRecord,
  NOTHING_LIVE,
  type RollbackOptions,
} from "./live-record.ts";
export { type Model, type ModelDeps, openModel, type ReleaseOptions } from "./model.ts";
export { liveKey, type ModelStore, modelsInStore } from "./model-store.ts";
export type { ModelRelease, NamedTensors, SignatureState } from "./release.ts";
export { newKeyPair, readSigner, readTrustedKey, type Signer, type TrustedKey } from "./signature.ts";
