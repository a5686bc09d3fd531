/**
 * How many requests a saturated event loop takes in. Requests that wait in sockets cannot be counted, but a request that
 * arrives now waits for about as long as a turn of the loop takes. So each turn takes in requests for a limited time, and
 * those beyond it are refused before their bodies are read, which costs a fifth of an answer. The limit is generous to a
 * burst, and strict where the loop has hardly been idle for a while: Maurer, "Fail at Scale", ACM Queue 13 (8), 2015, after
 * CoDel (Nichols, Jacobson 2012).
 */
export interface TurnBudget {
  /** Whether a request of `client` that has just arrived is taken in. */
  admits(client: string): boolean;
}

export interface TurnBudgetOptions {
  /** Latency that requests ought to have, ms. */
  readonly goalMs: number;
}

export interface TurnBudgetDeps {
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** Of these the loop was idle, since it began. */
  readonly idleMs: () => number;
  /** Calls back at the end of this turn of the event loop. */
  readonly afterTurn: (callback: () => void) => void;
}

/** Over which the idle time is looked at: longer than a burst of some hundred requests, ms. */
const WINDOW_MS = 100;
/** Of a window; with less the loop is saturated. */
const MIN_IDLE_SHARE = 0.1;
/** Time for which a turn takes requests in, as a share of the latency goal. */
const LIMITS = { burst: 0.5, saturated: 0.03 };
/** Taken in by a turn at least, for each ms of the goal: it is other processes that hold up a thread with few requests. */
const LEAST_TAKEN_PER_MS = 0.32;
/** Taken in beyond the limit in a turn, of clients that have had less than their share: their names may be made up. */
const MAX_FAIR = 16;

export function createTurnBudget(
  { goalMs }: TurnBudgetOptions,
  { now, idleMs, afterTurn }: TurnBudgetDeps,
): TurnBudget {
  /** Requests taken in, in this turn, by client. */
  const served = new Map<string, number>();
  let taken = 0;
  let fair = 0;
  let isInTurn = false;
  let beganMs = 0;
  let isSaturated = false;
  let window = { beganMs: now(), idleMs: idleMs() };

  const begin = (nowMs: number): void => {
    isInTurn = true;
    beganMs = nowMs;
    const passedMs = nowMs - window.beganMs;
    if (passedMs >= WINDOW_MS) {
      const idle = idleMs();
      isSaturated = idle - window.idleMs < MIN_IDLE_SHARE * passedMs;
      window = { beganMs: nowMs, idleMs: idle };
    }
    afterTurn(() => {
      isInTurn = false;
      served.clear();
      taken = 0;
      fair = 0;
    });
  };

  return {
    admits(client) {
      const nowMs = now();
      if (!isInTurn) begin(nowMs);
      const limitMs = goalMs * (isSaturated ? LIMITS.saturated : LIMITS.burst);
      const own = served.get(client) ?? 0;
      const isInTime = taken < LEAST_TAKEN_PER_MS * goalMs || nowMs - beganMs <= limitMs;
      const isFair = own * served.size < taken && fair < MAX_FAIR;
      if (!isInTime && !isFair) return false;
      if (!isInTime) fair += 1;
      served.set(client, own + 1);
      taken += 1;
      return true;
    },
  };
}
