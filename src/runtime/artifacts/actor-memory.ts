/**
 * What one actor remembers across its own restarts: it comes back from the newest state that it saved itself in this
 * timeline, the others having gone on meanwhile; when it has none yet, from the generation that the timeline began with.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { BlobInfo } from "../store/store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Checkpoints, SavedAt } from "./checkpoints.ts";

export interface ActorMemory {
  /** @returns undefined for a fresh start. Rejects with KN_CHECKPOINT when what the timeline began with is damaged. */
  restore(): Promise<SafetensorsContent | undefined>;
  /** Rejects with KN_CHECKPOINT or KN_UNAVAILABLE when it cannot be made durable; older ones stay. */
  save(generation: number, content: SafetensorsContent): Promise<BlobInfo>;
}

export interface ActorMemoryOptions {
  readonly actor: string;
  readonly timeline: number;
  /** What the timeline began with; undefined: nothing. */
  readonly from: SavedAt | undefined;
  /** Makes the actor's first state where `from` does not hold one by its name. @default the one that `from` holds */
  readonly begin?: () => Promise<SafetensorsContent | undefined>;
}

/** Of an actor that has no state: it begins anew each time, and is never asked to save. */
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
  const { actor, timeline, from, begin } = options;
  return {
    async restore() {
      for (const at of await checkpoints.saved(actor)) {
        if (at.timeline !== timeline) continue;
        try {
          const content = await checkpoints.load(actor, at);
          log.info({ actor, ...at }, "goes on from what was saved");
          return content;
        } catch (error) {
          if (!isKnowledgeNetError(error, "KN_CHECKPOINT", "KN_DECODE")) throw error;
          log.warn({ actor, ...at, err: error }, "saved state is damaged; trying the one before");
        }
      }
      if (begin !== undefined) return begin();
      return from === undefined ? undefined : checkpoints.load(actor, from);
    },
    save: (generation, content) => checkpoints.save(actor, { timeline, generation }, content),
  };
}
