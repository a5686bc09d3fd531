/**
 * Values as small integers times a scale: q from -L to L with L = 127 (int8) or 7 (int4), scale = max|x| / L over the
 * values that share it. A decoded value is within scale / 2. Which values share a scale is given by their group, since the
 * values of a mask have no axis.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { isAllFinite } from "../codecs/finite.ts";
import { GREATEST_SCALE } from "../codecs/int8.ts";

export type IntegerCodec = "int8" | "int4";

/** Largest q. The least integer of each width is left out, so that the range is symmetric and zero is exact. */
const LEVELS = { int8: 127, int4: 7 } as const satisfies Record<IntegerCodec, number>;

/** Smallest scale but 0, the smallest normal binary32: below it the bound of scale / 2 would not hold. */
const LEAST_SCALE = 2 ** -126;

/** The scale of the value at a position. */
export interface Groups {
  readonly count: number;
  /** 0 to `count` - 1. */
  of(position: number): number;
}

export interface Quantised {
  readonly data: Uint8Array;
  /** One per group. */
  readonly scales: Float32Array;
}

/** Bytes of `count` values. */
export function quantisedBytes(codec: IntegerCodec, count: number): number {
  return codec === "int8" ? count : Math.ceil(count / 2);
}

/** @throws KnowledgeNetError KN_NUMERIC on a value that is NaN, infinite, or beyond what a scale can express */
export function quantise(codec: IntegerCodec, values: Float32Array, groups: Groups): Quantised {
  const levels = LEVELS[codec];
  const peaks = new Float32Array(groups.count);
  for (const [position, value] of values.entries()) {
    const group = groups.of(position);
    const magnitude = Math.abs(value);
    if (magnitude > (peaks[group] as number)) peaks[group] = magnitude;
  }
  const scales = peaks.map((peak) => (peak === 0 ? 0 : Math.max(Math.fround(peak / levels), LEAST_SCALE)));
  if (!isAllFinite(values) || !scales.every((scale) => scale <= GREATEST_SCALE)) {
    throw new KnowledgeNetError("KN_NUMERIC", {
      attempt: "encode new values of a tensor",
      rule: `every value must be finite and within the range of ${codec}`,
    });
  }
  const data = new Uint8Array(quantisedBytes(codec, values.length));
  for (const [position, value] of values.entries()) {
    const scale = scales[groups.of(position)] as number;
    const level = scale === 0 ? 0 : Math.max(-levels, Math.min(levels, Math.round(value / scale)));
    if (codec === "int8") data[position] = level;
    else data[position >>> 1] = (data[position >>> 1] as number) | ((level & 0x0f) << (position % 2 === 0 ? 0 : 4));
  }
  return { data, scales };
}

/** The inverse. `data` and `scales` must have been checked: their lengths, scales from 0 to `GREATEST_SCALE`. */
export function dequantise(
  codec: IntegerCodec,
  { data, scales }: Quantised,
  count: number,
  groups: Groups,
): Float32Array {
  const values = new Float32Array(count);
  for (let position = 0; position < count; position += 1) {
    const shift = position % 2 === 0 ? 28 : 24; // the half byte to the top, so that its sign extends
    const level =
      codec === "int8" ? ((data[position] as number) << 24) >> 24 : ((data[position >>> 1] as number) << shift) >> 28;
    // Adding 0 makes -0, which no quantiser means, 0: one value has one pattern of bits in a digest.
    values[position] = level * (scales[groups.of(position)] as number) + 0;
  }
  return values;
}
