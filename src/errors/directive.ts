import { type ErrorCode, isKnowledgeNetError } from "./knowledgenet-error.ts";

/**
 * What a supervisor does with a failed actor.
 * - `resume`: drop the message that caused it, count it, go on;
 * - `restart`: build the actor anew from its last checkpoint, with backoff;
 * - `stop`: end this actor quietly, somebody else has its place;
 * - `escalate`: the run cannot go on.
 */
export type Directive = "resume" | "restart" | "stop" | "escalate";

const DIRECTIVES = {
  KN_CONFIG: "escalate", // the same spec fails the same way for ever
  KN_DECODE: "resume", // one bad message says nothing about this actor
  KN_SHAPE: "escalate", // two neighbours disagree about their boundary
  KN_STALE: "resume",
  KN_OVERLOADED: "resume",
  KN_UNAVAILABLE: "restart",
  KN_FENCED: "stop", // a newer lease holder works on
  KN_NUMERIC: "restart", // quarantine: the last checkpoint was finite
  KN_CHECKPOINT: "escalate", // going on would train what can never be saved
  KN_INVARIANT: "restart", // a bug, as is every unknown error: a fresh start is safe, and too many of them escalate
} as const satisfies Record<ErrorCode, Directive>;

/** The one rule for every error. An unknown error is a bug: KN_INVARIANT, here as on the other side of the bus. */
export function directiveFor(error: unknown): Directive {
  return DIRECTIVES[isKnowledgeNetError(error) ? error.code : "KN_INVARIANT"];
}
