/** Why a request for inference has no answer. */
import { type ErrorCode, KnowledgeNetError } from "../../errors/index.ts";

/** Causes, as in metrics. */
export type RefusalCause = "invalid" | "overloaded" | "expired" | "cancelled" | "non-finite" | "unavailable" | "failed";

export interface RefusalFacts {
  readonly model: string;
  /** Time that the request had, ms. */
  readonly timeoutMs: number;
  readonly detail?: string;
}

const RULES: Record<RefusalCause, { readonly code: ErrorCode; readonly rule: string; readonly remedy?: string }> = {
  invalid: { code: "KN_SHAPE", rule: "the input must have the shape that the model takes" },
  overloaded: { code: "KN_OVERLOADED", rule: "the queue must have room", remedy: "send it again later" },
  expired: {
    code: "KN_STALE",
    rule: "the answer must be there in time",
    remedy: "allow more time, or send less at once",
  },
  cancelled: { code: "KN_STALE", rule: "the client must wait for the answer" },
  "non-finite": { code: "KN_NUMERIC", rule: "the answer must be finite", remedy: "check the values of the input" },
  unavailable: { code: "KN_UNAVAILABLE", rule: "a replica must compute it", remedy: "send it again" },
  failed: { code: "KN_INVARIANT", rule: "a replica must be able to compute it" },
};

export function refusalOf(cause: RefusalCause, { model, timeoutMs, detail }: RefusalFacts): KnowledgeNetError {
  const { code, rule, remedy } = RULES[cause];
  const value = detail ?? (cause === "expired" ? `${Math.round(timeoutMs)} ms are over` : undefined);
  return new KnowledgeNetError(code, {
    attempt: `infer with ${model}`,
    rule,
    ...(value === undefined ? {} : { value }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}
