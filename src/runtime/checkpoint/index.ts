/** Durable states of a run's actors, and which of them belong together. */
export { type CheckpointBuckets, type Checkpoints, type Manifest, openCheckpoints } from "./checkpoints.ts";
