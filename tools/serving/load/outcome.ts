/** What became of a request. Each has exactly one. */

export const OUTCOMES = [
  /** Answered in time, and nothing known against it. */
  "ok",
  /** Refused under load: 429, KN_OVERLOADED. */
  "overloaded",
  /** Refused: nothing ready, 503, KN_UNAVAILABLE. */
  "unavailable",
  /** The server gave up at the deadline: 408, 504, KN_STALE. */
  "stale",
  /** No answer at the deadline and some time beyond, or none when the load ended. */
  "unanswered",
  /** Any other status below 500 or code. */
  "rejected",
  /** Any other status of 500 or more. */
  "error",
  /** The connection ended before the answer. */
  "broken",
  /** No connection, or nobody subscribed. */
  "unreachable",
  /** An answer that is none by the protocol, or has not the samples that were sent. */
  "malformed",
  /** Another release than asked for, or the bits of another one than it names. */
  "wrong-release",
  /** Bits of no release. */
  "wrong-bits",
  /** Rows of several releases in one answer. */
  "mixed",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Refusals are an ordinary answer of a server under load. */
export function isRefusal(outcome: Outcome): boolean {
  return outcome === "overloaded" || outcome === "unavailable" || outcome === "stale";
}

export function isFailure(outcome: Outcome): boolean {
  return outcome !== "ok" && !isRefusal(outcome);
}
