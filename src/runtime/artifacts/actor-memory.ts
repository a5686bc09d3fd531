/**
 * What one incarnation of an actor remembers: it comes back from the newest state that the actor saved in this attempt,
 * the others having gone on meanwhile; when there is none yet, from the generation that the attempt began with.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { BlobInfo } from "../store/store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { SavedAt } from "./artifact-names.ts";
import type { Checkpoints } from "./checkpoints.ts";

export interface ActorMemory {
  /**
   * Claims the actor and reads its state. @returns undefined for a fresh start. Rejects with KN_FENCED when a newer
   * incarnation has claimed it, KN_CHECKPOINT when the generation that the attempt began with is damaged.
   */
  restore(): Promise<SafetensorsContent | undefined>;
  /** Rejects with KN_FENCED, KN_CHECKPOINT or KN_UNAVAILABLE when it cannot be made durable; older states stay. */
  save(generation: number, content: SafetensorsContent): Promise<BlobInfo>;
}

export interface ActorMemoryOptions {
  readonly actor: string;
  readonly attempt: number;
  /** Fencing token of the incarnation. */
  readonly fence: number;
  /** Generation that the attempt began with; undefined: none. */
  readonly from: SavedAt | undefined;
  /** Makes the actor's first state where `from` does not hold one by its name. @default the one that `from` holds */
  readonly begin?: () => Promise<SafetensorsContent | undefined>;
}

/** Of an actor without state: it starts without a checkpoint, and is never asked to save. */
export const NO_MEMORY: ActorMemory = {
  restore: () => Promise.resolve(undefined),
  save: (generation) =>
    Promise.reject(
      new KnowledgeNetError("KN_INVARIANT", {
        attempt: `save generation ${generation}`,
        rule: "only an actor that has a state is saved",
      }),
    ),
};

export interface ActorMemoryDeps {
  readonly checkpoints: Checkpoints;
  readonly log: Logger;
}

export function createActorMemory(options: ActorMemoryOptions, { checkpoints, log }: ActorMemoryDeps): ActorMemory {
  const { actor, attempt, fence, from, begin } = options;
  const states = checkpoints.statesOf(actor, { attempt, fence });
  return {
    async restore() {
      await states.claim();
      let newest: { readonly generation: number; readonly content: SafetensorsContent } | undefined;
      for (const state of await states.list()) {
        if (state.attempt !== attempt) continue;
        const { generation } = state;
        if (newest !== undefined && generation < newest.generation) break;
        try {
          const content = await states.load(state);
          if (newest === undefined || consumedIn(content) > consumedIn(newest.content))
            newest = { generation, content };
        } catch (error) {
          if (!isKnowledgeNetError(error, "KN_CHECKPOINT", "KN_DECODE")) throw error;
          log.warn({ actor, attempt, generation, err: error }, "saved state is damaged; trying the one before");
        }
      }
      if (newest !== undefined) {
        log.info({ actor, attempt, generation: newest.generation }, "restored from its newest state");
        return newest.content;
      }
      if (begin !== undefined) return begin();
      return from === undefined ? undefined : checkpoints.load(actor, from);
    },
    save: (generation, content) => states.save({ attempt, generation }, content),
  };
}

/**
 * Sequence up to which the actor had consumed. One generation may be saved twice: an evaluation follows the step
 * without being one, and the state after it is the newer one.
 */
function consumedIn({ metadata }: SafetensorsContent): number {
  return Number(metadata.consumed ?? 0);
}
