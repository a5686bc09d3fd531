/**
 * Time as a port: nothing below `apps/` reads the real clock. `SystemClock` is the real one; `SimulatedClock` moves only by
 * `advance`, so that time-outs, back-off and leases are tested without waiting.
 */
export interface Clock {
  /** Milliseconds since an arbitrary origin, never going back. For durations. */
  now(): number;
  /** Wall-clock time, ms since 1970-01-01 UTC. For records, never for durations. */
  wallTimeMs(): number;
  /** Calls `callback` once after `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
  /** Resolves after `delayMs`; rejects with `signal.reason` on abort. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface TimerHandle {
  readonly id: number;
}
