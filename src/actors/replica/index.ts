/** The actor that computes one slice of a served network. */
export { createReplicaActor } from "./replica-actor.ts";
export type { ReplicaActorDeps, ReplicaActorOptions } from "./replica-options.ts";
