/** A bound on what should not take long but depends on somebody else: a goodbye to a server that may be away. */
import type { Clock } from "./clock.ts";

/** @returns whether `work` was done in time; it goes on otherwise. Rejects with what `work` rejects with in time. */
export async function endsWithin(limitMs: number, work: Promise<unknown>, clock: Clock): Promise<boolean> {
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
