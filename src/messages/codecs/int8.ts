/**
 * Eight-bit symmetric quantisation: a value is q x scale, with q from -127 to 127 and scale = max|x| / 127 over the
 * values that share it: one index of the last axis (a channel), or a run of consecutive elements (a block).
 * A decoded value is within scale / 2. A quarter of the bytes: the codec for activations.
 */

/** Largest q. -128 is left out, so that the range is symmetric and zero is exact. */
const LEVELS = 127;

/**
 * Smallest scale but 0: the smallest normal binary32. Below it a scale would lose the precision that the bound of
 * scale / 2 rests on.
 */
const LEAST_SCALE = 2 ** -126;

/** Largest scale: 128 times it is still finite, so any byte decodes to a finite value. */
export const GREATEST_SCALE = ((2 - 2 ** -23) * 2 ** 127) / 128;

/** Rounds to nearest by truncation: x + 128.5 is positive for |x| <= 127.5. */
const HALF_UP = 128.5;

/**
 * @param channels extent of the last axis; divides the number of values.
 * @param target one byte per value.
 * @param scales one per channel; set.
 * @returns false when a value is NaN, infinite or above 127 x `GREATEST_SCALE`; the outputs are then of no use.
 */
export function encodeInt8Channel(
  values: Float32Array,
  channels: number,
  target: Uint8Array,
  scales: Float32Array,
): boolean {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const peaks = new Int32Array(channels); // magnitudes as bits: ordered like the values, NaN above infinity
  for (let start = 0; start < bits.length; start += channels) {
    for (let channel = 0; channel < channels; channel += 1) {
      const magnitude = (bits[start + channel] as number) & 0x7fffffff;
      if (magnitude > (peaks[channel] as number)) peaks[channel] = magnitude;
    }
  }
  const inverses = new Float64Array(channels);
  if (!setScales(new Float32Array(peaks.buffer), scales, inverses)) return false;
  for (let start = 0; start < values.length; start += channels) {
    for (let channel = 0; channel < channels; channel += 1) {
      const index = start + channel;
      target[index] = (((values[index] as number) * (inverses[channel] as number) + HALF_UP) | 0) - 128;
    }
  }
  return true;
}

/** The inverse of `encodeInt8Channel`. `scales` must have been checked: finite, from 0 to `GREATEST_SCALE`. */
export function decodeInt8Channel(
  data: Uint8Array,
  channels: number,
  scales: Float32Array,
  target: Float32Array,
): void {
  const levels = new Int8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let start = 0; start < target.length; start += channels) {
    for (let channel = 0; channel < channels; channel += 1) {
      const index = start + channel;
      target[index] = (levels[index] as number) * (scales[channel] as number);
    }
  }
}

/** Like `encodeInt8Channel`, with a scale for each run of `block` elements; the last may be shorter. */
export function encodeInt8Block(
  values: Float32Array,
  block: number,
  target: Uint8Array,
  scales: Float32Array,
): boolean {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const peaks = new Int32Array(scales.length);
  for (let run = 0; run < peaks.length; run += 1) {
    const end = Math.min((run + 1) * block, bits.length);
    let peak = 0;
    for (let index = run * block; index < end; index += 1) {
      const magnitude = (bits[index] as number) & 0x7fffffff;
      if (magnitude > peak) peak = magnitude;
    }
    peaks[run] = peak;
  }
  const inverses = new Float64Array(scales.length);
  if (!setScales(new Float32Array(peaks.buffer), scales, inverses)) return false;
  for (let run = 0; run < peaks.length; run += 1) {
    const end = Math.min((run + 1) * block, values.length);
    const inverse = inverses[run] as number;
    for (let index = run * block; index < end; index += 1) {
      target[index] = (((values[index] as number) * inverse + HALF_UP) | 0) - 128;
    }
  }
  return true;
}

/** The inverse of `encodeInt8Block`; `scales` as in `decodeInt8Channel`. */
export function decodeInt8Block(data: Uint8Array, block: number, scales: Float32Array, target: Float32Array): void {
  const levels = new Int8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let run = 0; run < scales.length; run += 1) {
    const end = Math.min((run + 1) * block, target.length);
    const scale = scales[run] as number;
    for (let index = run * block; index < end; index += 1) target[index] = (levels[index] as number) * scale;
  }
}

/** Scales and their reciprocals; both 0 where all values are 0. */
function setScales(peaks: Float32Array, scales: Float32Array, inverses: Float64Array): boolean {
  for (let index = 0; index < peaks.length; index += 1) {
    const peak = peaks[index] as number;
    if (peak === 0) continue;
    const scale = Math.max(Math.fround(peak / LEVELS), LEAST_SCALE);
    if (!(scale <= GREATEST_SCALE)) return false; // NaN fails too
    scales[index] = scale;
    inverses[index] = 1 / scale;
  }
  return true;
}
