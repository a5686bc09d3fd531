/** Starts that belong together: all of them, or none. */

/**
 * Starts all at once.
 *
 * @returns what has started, in the order of `starts`; the caller's to dispose of. Rejects with the error of the first that
 * does not start, once all others have ended: each of those that had started is disposed of.
 */
export async function startAll<T extends AsyncDisposable>(starts: readonly (() => Promise<T>)[]): Promise<T[]> {
  let first: { readonly error: unknown } | undefined;
  const outcomes = await Promise.allSettled(
    starts.map(async (start) => {
      try {
        return await start();
      } catch (error) {
        first ??= { error };
        throw error;
      }
    }),
  );
  const started = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  if (first === undefined) return started;
  await Promise.allSettled(started.map((each) => each[Symbol.asyncDispose]()));
  throw first.error;
}
