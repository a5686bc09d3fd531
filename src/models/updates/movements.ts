/**
 * How far the optimiser moved each weight: what a mask is chosen by, before the phase that trains within it ("gradient-guided"
 * selection of AMS, Khani et al. 2021, section 3.2.2).
 */

/** How far each value of each tensor moved, up to one factor for all; not negative. */
export type Movements = Readonly<Record<string, Float32Array>>;

/**
 * Adam's update by its moments, |m| / (sqrt(v) + epsilon): what it last did to each weight, but for the learning rate and
 * the corrections of its start, which are the same for all weights (Kingma and Ba 2014, algorithm 1).
 * @param epsilon @default 1e-8
 */
export function adamMovement(m: Float32Array, v: Float32Array, epsilon = 1e-8): Float32Array {
  if (m.length !== v.length) throw new RangeError(`moments must have one length, not ${m.length} and ${v.length}`);
  return m.map((moment, index) => Math.abs(moment) / (Math.sqrt(v[index] as number) + epsilon));
}

/** |after - before|: for an optimiser without moments, and for what no optimiser trains. */
export function movementBetween(before: Float32Array, after: Float32Array): Float32Array {
  if (before.length !== after.length) {
    throw new RangeError(`both must have one length, not ${before.length} and ${after.length}`);
  }
  return after.map((value, index) => Math.abs(value - (before[index] as number)));
}
