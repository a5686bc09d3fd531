/** Blocks: slices of a network trained with decoupled gradients. */
export { createBlockActor } from "./block-actor.ts";
export type { BlockActorDeps, BlockActorOptions } from "./block-options.ts";
