import { splitmix32 } from "../../../src/data/index.ts";

/** Times between two arrivals of a Poisson process, ms: exponential, by inversion (Devroye 1986, II.2). */
export function poissonGaps(seed: number, ratePerSecond: number): () => number {
  if (!(ratePerSecond > 0)) throw new RangeError(`the rate must be more than 0 (got ${ratePerSecond})`);
  const next = splitmix32(seed);
  return () => (-Math.log((next() + 1) / 2 ** 32) * 1_000) / ratePerSecond; // (0, 1]: never the logarithm of 0
}
