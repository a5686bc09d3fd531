/**
 * Waits for a condition instead of sleeping: the bound is a safety net, never the expected time.
 *
 * @param everyMs pause between two looks, longer where a look is dear
 */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  what: string,
  limitMs = 10_000,
  everyMs = 5,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
