/**
 * Artifacts: immutable blobs named by their digest, the manifests that group them, releases, and
 * the collection of what nothing names any more.
 *
 * @example
 * const checkpoints = await openCheckpoints(store, scopeOfRun("digits"));
 * const memory = createActorMemory({ actor: "block-0", attempt: 1, fence, from: undefined }, { checkpoints, log });
 * const { digest } = await memory.save(200, state);
 * await checkpoints.commit({ attempt: 1, generation: 200, sequence: 200, step: 200, epoch: 0, phase: "training",
 *   actors: { "block-0": digest } }, coordinatorFence);
 */
export { type ActorMemory, type ActorMemoryOptions, createActorMemory, NO_MEMORY } from "./actor-memory.ts";
export type { ActorStates } from "./actor-states.ts";
export {
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  type ArtifactScope,
  type SavedAt,
  type SavedState,
  scopeOfModel,
  scopeOfRun,
} from "./artifact-names.ts";
export { copyGeneration } from "./copy-generation.ts";
export { type Checkpoints, openCheckpoints } from "./checkpoints.ts";
export {
  applyArtifactCollection,
  type ArtifactCollection,
  planArtifactCollection,
  planArtifactRemoval,
} from "./collect-artifacts.ts";
export { type Holder, type Manifest, manifestAt } from "./manifest.ts";
export { openReleases, type PublishOptions, type Release, type Releases } from "./releases.ts";
