/** Blocks: slices of a network trained with decoupled gradients. */
export { type BlockActorDeps, type BlockActorOptions, createBlockActor } from "./block-actor.ts";
