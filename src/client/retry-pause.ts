/** When a request is sent again. Pure. */
import type { Exchange } from "./exchange.ts";

/** Before the first repetition of a request that met no server, ms; doubled for each more. */
const FIRST_PAUSE_MS = 50;
/** A longer pause gains nothing. */
const LONGEST_PAUSE_MS = 1_000;
const MS = 1_000;

export interface RetryRules {
  /** Repeat what may have been computed already. */
  readonly isRetrying: boolean;
  /** Of one request. */
  readonly maxRetries: number;
}

/**
 * - nothing was sent: again, after a growing pause
 * - the server refused it and named a time (429, 503 with Retry-After in seconds): then
 * - the connection broke: again where `isRetrying`
 * - everything else is the outcome: an answer, another refusal, or the time is over
 *
 * @param retries repetitions so far
 * @param random uniform in [0, 1)
 * @returns how long to wait before it is sent again, ms; undefined: it is not
 */
export function retryPause(
  result: Exchange,
  retries: number,
  { isRetrying, maxRetries }: RetryRules,
  random: number,
): number | undefined {
  if (retries >= maxRetries || result.kind === "late") return undefined;
  if (result.kind === "answer") {
    if (result.status !== 429 && result.status !== 503) return undefined;
    const seconds = Number(result.headers["retry-after"] ?? Number.NaN);
    // A tenth more at most: clients that were refused together do not come back together.
    return Number.isFinite(seconds) && seconds >= 0 ? seconds * MS * (1 + 0.1 * random) : undefined;
  }
  if (result.kind === "broken" && !isRetrying) return undefined;
  if (result.kind === "broken" && retries === 0) return 0; // a kept connection that the server closed meanwhile
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** retries) * (0.5 + 0.5 * random);
}
