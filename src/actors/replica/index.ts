/** The actor that computes one slice of a served network. */
export { ANNOUNCE_EVERY_MS, createReplicaActor } from "./replica-actor.ts";
export { isTakingBatches, replicaLifecycle } from "./replica-lifecycle.ts";
export type { ReplicaActorDeps, ReplicaActorOptions } from "./replica-options.ts";
