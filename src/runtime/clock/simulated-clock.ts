/**
 * A clock that stands still until it is advanced. Timers fire in the order of their due time, those due together in the
 * order in which they were set. A timer that is set during the advance fires in it when it is due by then.
 */
import type { Clock, TimerHandle } from "./clock.ts";
import { sleepOn } from "./sleep.ts";

export interface SimulatedClockOptions {
  /** Wall-clock time at the start, ms since 1970. @default 2000-01-01, which is visibly simulated */
  readonly wallTimeMs?: number;
}

export interface SimulatedClock extends Clock {
  /** Timers that have not fired. */
  readonly pendingTimers: number;
  /**
   * Advances by `delayMs`. Before the first timer, between any two and after the last, all promises and in-process
   * messages settle: a chain of awaits never sees a later timer first. Rejects with the error of a timer's callback. One
   * call at a time.
   */
  advance(delayMs: number): Promise<void>;
  /** Advances and fires timers at once; promises settle after it has returned. */
  advanceSync(delayMs: number): void;
}

interface Timer {
  readonly id: number;
  readonly dueMs: number;
  readonly callback: () => void;
}

export function simulatedClock(options: SimulatedClockOptions = {}): SimulatedClock {
  const { wallTimeMs: originMs = Date.UTC(2000, 0, 1) } = options;
  const timers = new Map<number, Timer>();
  let nowMs = 0;
  let lastId = 0;

  /** Takes the first timer that is due by `limitMs`; the Map keeps those due together in the order of setting. */
  const take = (limitMs: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers.values()) {
      if (timer.dueMs <= limitMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    }
    if (first !== undefined) timers.delete(first.id);
    return first;
  };

  const fire = (timer: Timer): void => {
    nowMs = Math.max(nowMs, timer.dueMs);
    timer.callback();
  };

  const clock: SimulatedClock = {
    get pendingTimers() {
      return timers.size;
    },
    now: () => nowMs,
    wallTimeMs: () => originMs + nowMs,
    setTimeout(callback, delayMs): TimerHandle {
      lastId += 1;
      timers.set(lastId, { id: lastId, dueMs: nowMs + Math.max(0, delayMs), callback });
      return { id: lastId };
    },
    clearTimeout(handle) {
      timers.delete(handle.id);
    },
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
    async advance(delayMs) {
      const targetMs = nowMs + checkedDelay(delayMs);
      await settle();
      for (let timer = take(targetMs); timer !== undefined; timer = take(targetMs)) {
        fire(timer);
        await settle();
      }
      nowMs = targetMs;
    },
    advanceSync(delayMs) {
      const targetMs = nowMs + checkedDelay(delayMs);
      for (let timer = take(targetMs); timer !== undefined; timer = take(targetMs)) fire(timer);
      nowMs = targetMs;
    },
  };
  return clock;
}

/** One turn of the event loop: all microtasks have run when it is over. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function checkedDelay(delayMs: number): number {
  if (Number.isFinite(delayMs) && delayMs >= 0) return delayMs;
  throw new RangeError(`a clock can advance by 0 or more ms, not by ${delayMs}`);
}
