/**
 * bfloat16: the upper 16 bits of a binary32, so 8 bits of exponent and 7 of fraction. Rounded to nearest, ties to even;
 * a decoded normal value is within 2^-8 of the original. Half the bytes, the whole range: the codec for gradients.
 */

/** Magnitudes of at least this round to infinity, or are infinite or NaN. */
const ROUNDS_TO_INFINITY = 0x7f7f8000;

/** Added to the bits, it carries into the sign bit only for these magnitudes. */
const LIFT = 0x80000000 - ROUNDS_TO_INFINITY;

/**
 * @param target 2 bytes per value, at an even offset.
 * @returns false when a value is NaN, infinite or rounds to infinity; `target` is then of no use.
 */
export function encodeBf16(values: Float32Array, target: Uint8Array): boolean {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(target.buffer, target.byteOffset, values.length);
  let overflow = 0; // its sign bit is set by the first magnitude that is too large
  for (let index = 0; index < halves.length; index += 1) {
    const word = bits[index] as number;
    overflow |= (word & 0x7fffffff) + LIFT;
    halves[index] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return overflow >= 0;
}

/**
 * @param data 2 bytes per value, at an even offset.
 * @returns false when a value is NaN or infinite.
 */
export function decodeBf16(data: Uint8Array, target: Float32Array): boolean {
  const bits = new Int32Array(target.buffer, target.byteOffset, target.length);
  const halves = new Uint16Array(data.buffer, data.byteOffset, target.length);
  let overflow = 0;
  for (let index = 0; index < bits.length; index += 1) {
    const half = halves[index] as number;
    overflow |= (half & 0x7fff) + (0x8000 - 0x7f80); // bit 15 is set by an exponent of all ones
    bits[index] = half << 16;
  }
  return (overflow & 0x8000) === 0;
}
