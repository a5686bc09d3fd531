/** Durable states of a run's actors, and which of them belong together. */
export { type ActorMemory, type ActorMemoryOptions, createActorMemory } from "./actor-memory.ts";
export {
  type CheckpointBuckets,
  type Checkpoints,
  type Manifest,
  openCheckpoints,
  type SavedAt,
} from "./checkpoints.ts";
