/** The real clock: the only place below `apps/` that touches Node's timers. */
import { performance } from "node:perf_hooks";
import type { Clock, TimerHandle } from "./clock.ts";
import { sleepOn } from "./sleep.ts";

/** Node's timers hold 31 bits, ms (24.8 days); a longer delay would fire at once, so it is split. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface SystemTimer extends TimerHandle {
  timeout: NodeJS.Timeout;
}

/** A pending timer keeps the process alive, as Node's own do. Usable as xstate's `clock`. */
export function systemClock(): Clock {
  let lastId = 0;

  const arm = (timer: SystemTimer, callback: () => void, delayMs: number): void => {
    const partMs = Math.min(delayMs, LONGEST_TIMER_MS);
    timer.timeout = setTimeout(() => {
      if (delayMs > partMs) arm(timer, callback, delayMs - partMs);
      else callback();
    }, partMs);
  };

  const clock: Clock = {
    now: () => performance.now(),
    wallTimeMs: () => Date.now(),
    setTimeout(callback, delayMs) {
      lastId += 1;
      const timer = { id: lastId } as SystemTimer;
      arm(timer, callback, delayMs);
      return timer;
    },
    clearTimeout(handle) {
      clearTimeout((handle as SystemTimer).timeout);
    },
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
  };
  return clock;
}
