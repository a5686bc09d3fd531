/** Requests on their way at one time. Enough to hide the round trip, few enough for a server that just started. */
const IN_FLIGHT = 16;

/** The results of `ask` for each of `items`, in their order, a few at a time. */
export async function mapInTurn<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += IN_FLIGHT) {
    results.push(...(await Promise.all(items.slice(at, at + IN_FLIGHT).map(ask))));
  }
  return results;
}
