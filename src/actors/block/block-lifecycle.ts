/**
 * The lifecycle of a block, pure: the common chart (runtime/actor/message-lifecycle.ts) with this activity.
 *
 * ```
 * catchingUp --first message--> training
 * training: idle --message--> computing --done--> idle
 *                                       --done, a gating source awaits its gradient--> awaitingGradient --message--> computing
 *           idle --nothing arrives--> starved --message--> computing
 * ```
 */
import { messageLifecycle } from "../../runtime/actor/index.ts";

export const blockLifecycle = messageLifecycle({
  id: "block",
  initial: "catchingUp",
  activity: {
    catchingUp: { on: { MessageTaken: "training.computing" } },
    training: {
      initial: "idle",
      states: {
        idle: { tags: "brief", on: { MessageTaken: "computing" }, after: { starvedAfter: "starved" } },
        computing: {
          tags: "brief",
          on: { MessageSettled: [{ guard: "isAwaiting", target: "awaitingGradient" }, { target: "idle" }] },
        },
        awaitingGradient: { tags: "brief", on: { MessageTaken: "computing" }, after: { starvedAfter: "starved" } },
        starved: { on: { MessageTaken: "computing" } },
      },
    },
  },
});

/** A gradient goes before the next batch: it belongs to an older one and frees what is kept for it. */
export const BLOCK_ORDER = {
  idleKinds: ["save", "gradient", "batch"],
  /** While a gating block awaits its gradient it takes that, a save, or the news that no gradient will arrive. */
  awaitingKinds: ["save", "gradient", "abandon"],
} as const;
