/** The order of the samples within an epoch: a function of (seed, epoch), so a run resumes from a position alone. */

import { splitmix32 } from "./splitmix.ts";

/** Fisher-Yates shuffle of 0 .. count - 1 under a splitmix32 stream. */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const next = splitmix32(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca77));
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor((next() / 2 ** 32) * (last + 1));
    const kept = order[last] as number;
    order[last] = order[other] as number;
    order[other] = kept;
  }
  return order;
}
