import { type ErrorCode, isKnowledgeNetError } from "./knowledgenet-error.ts";

/**
 * What a supervisor does with a failed actor.
 * - `resume`: drop the message that caused the failure, count it, continue;
 * - `restart`: create the actor again from its last checkpoint, after a back-off;
 * - `stop`: end this actor without an error: another holder has its lease;
 * - `escalate`: end the run.
 */
export type Directive = "resume" | "restart" | "stop" | "escalate";

const DIRECTIVES = {
  KN_CONFIG: "escalate", // the same spec fails again
  KN_DECODE: "resume", // one malformed message is no fault of this actor
  KN_SHAPE: "escalate", // two neighbours disagree about their boundary
  KN_STALE: "resume",
  KN_OVERLOADED: "resume",
  KN_UNAVAILABLE: "restart",
  KN_FENCED: "stop", // a newer lease holder continues
  KN_NUMERIC: "restart", // the last checkpoint was finite
  KN_CHECKPOINT: "escalate", // training would continue without being saved
  KN_INVARIANT: "restart", // a bug, as is every unknown error: a fresh start is safe, and too many of them escalate
} as const satisfies Record<ErrorCode, Directive>;

/** The one rule for every error. An unknown error is a bug: KN_INVARIANT, here as on the other side of the bus. */
export function directiveFor(error: unknown): Directive {
  return DIRECTIVES[isKnowledgeNetError(error) ? error.code : "KN_INVARIANT"];
}
