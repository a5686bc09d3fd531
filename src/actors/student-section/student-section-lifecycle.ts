/**
 * The lifecycle of a student's section, pure: the common chart (runtime/actor/message-lifecycle.ts) with this activity.
 *
 * ```
 * learning: waitingForInput | waitingForHint --message--> computing --done--> waiting for what the next input lacks
 *           a wait that lasts --> starvedOfInput | starvedOfHint
 * learning  --later inputs arrive and the next one does not--> locating: asks the feeder --answer--> learning
 * ```
 */
import { messageLifecycle } from "../../runtime/actor/index.ts";

const BY_PART = [{ guard: "isHintMissing", target: "waitingForHint" }, { target: "waitingForInput" }] as const;

export const studentSectionLifecycle = messageLifecycle({
  id: "student-section",
  initial: "learning",
  activity: {
    locating: { on: { ResyncEnded: "learning", MessageTaken: "learning.computing" } },
    learning: {
      initial: "waitingForInput",
      on: { ResyncBegun: "locating" },
      states: {
        waitingForInput: {
          tags: "brief",
          always: { guard: "isHintMissing", target: "waitingForHint" },
          on: { MessageTaken: "computing" },
          after: { starvedAfter: "starvedOfInput" },
        },
        waitingForHint: {
          tags: "brief",
          always: { guard: "isInputMissing", target: "waitingForInput" },
          on: { MessageTaken: "computing" },
          after: { starvedAfter: "starvedOfHint" },
        },
        starvedOfInput: { on: { MessageTaken: "computing" } },
        starvedOfHint: { on: { MessageTaken: "computing" } },
        computing: { tags: "brief", on: { MessageSettled: [...BY_PART] } },
      },
    },
  },
});

/** Requests of a blocked neighbour have priority: it makes no progress until they are answered. */
export const STUDENT_SECTION_ORDER = { idleKinds: ["save", "recompute", "inputs"] } as const;
