/** Waiting, over any clock's timers: so that all clocks sleep and abort alike. */
import type { Clock } from "./clock.ts";

/** As `Clock.sleep`. */
export function sleepOn(
  clock: Pick<Clock, "setTimeout" | "clearTimeout">,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clock.clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Bounds work that depends on others, such as a farewell to a server that may be away.
 *
 * @returns whether `work` settled in time; it continues otherwise. Rejects as `work` does in time.
 */
export async function settlesWithin(limitMs: number, work: Promise<unknown>, clock: Clock): Promise<boolean> {
  const done = new AbortController();
  const late = clock.sleep(limitMs, done.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    done.abort();
  }
}
