/**
 * The lifecycle of a teacher's section, pure: the common chart (runtime/actor/message-lifecycle.ts) with this activity. It
 * has no state to save and never awaits an answer.
 *
 * ```
 * teaching: idle --message--> computing --done--> idle       computing --another version--> loadingVersion --done--> idle
 * ```
 */
import { messageLifecycle } from "../../runtime/actor/index.ts";

export const teacherSectionLifecycle = messageLifecycle({
  id: "teacher-section",
  initial: "teaching",
  activity: {
    teaching: {
      initial: "idle",
      states: {
        idle: { tags: "brief", on: { MessageTaken: "computing" } },
        computing: { tags: "brief", on: { MessageSettled: "idle", VersionLoading: "loadingVersion" } },
        loadingVersion: { on: { MessageSettled: "idle" } },
      },
    },
  },
});

export const TEACHER_SECTION_ORDER = { idleKinds: ["batch"] } as const;
