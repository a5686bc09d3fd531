/** Durable states of a run's actors, and which of them belong together. */
export { type ActorMemory, type ActorMemoryOptions, createActorMemory, NO_MEMORY } from "./actor-memory.ts";
export {
  type CheckpointBuckets,
  type Checkpoints,
  type Manifest,
  openCheckpoints,
  type SavedAt,
} from "./checkpoints.ts";
export { openReleases, type Release, type ReleaseBuckets, type Releases } from "./releases.ts";
