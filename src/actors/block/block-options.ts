/** Options and collaborators of a block. */
import type { AutoPolicy, BlockHandle } from "../../compute/index.ts";
import type { TensorCodec } from "../../messages/index.ts";
import type { ActorMemory } from "../../runtime/artifacts/index.ts";
import type { ActorDeps, StreamActorOptions } from "../link/index.ts";

export interface BlockActorOptions extends StreamActorOptions {
  /** Position in the network, 0 for the first. */
  readonly index: number;
  /** Blocks of the run. */
  readonly blocks: number;
  readonly activationCodec: TensorCodec;
  readonly gradientCodec: TensorCodec;
  /** Batches between the feeder and the slowest block: the depth of the mailbox. */
  readonly window: number;
  /** This block's own source makes it wait for each gradient. */
  readonly isGating: boolean;
  /** The block applies the gradients that come back from the next one. */
  readonly appliesReturned: boolean;
  /** Its gradient model is on another node and answers on `syn.<index>`. */
  readonly isGradientModelElsewhere: boolean;
  /** The block before waits for this block's gradients: they are repeated until they are consumed. */
  readonly isPreviousGating: boolean;
  /** Senders leave out the old for the new when this block or the next is slower. */
  readonly isDropping: boolean;
}

export interface BlockActorDeps extends ActorDeps {
  readonly memory: ActorMemory;
  /** Opens the mathematics; called once at the start. */
  readonly openUnit: () => Promise<BlockHandle>;
  /** Chooses the way to a gradient by the gradient model's quality; of an `auto` boundary only. */
  readonly policy?: AutoPolicy;
}
