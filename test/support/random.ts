/** Random draws that a test can repeat: it prints its seed, and `KN_SEED` sets it. */

/** @returns the next number of the sequence that `seed` begins, in [0, 1); xorshift32 */
export function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** `KN_SEED`, or one of the moment; printed either way. */
export function printedSeed(): number {
  const seed = Number(process.env["KN_SEED"] ?? Math.floor(performance.timeOrigin % 1e9));
  console.log(`seed ${seed}: run again with KN_SEED=${seed}`);
  return seed;
}
