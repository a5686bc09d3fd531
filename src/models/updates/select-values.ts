/** Which values an update sends: those that moved most, over all tensors together. */
import type { Movements } from "./movements.ts";
import { namesInOrder } from "./tensor-digest.ts";

/** Selected places or channels by tensor, ascending; tensors without any are absent. */
export type Selected = Readonly<Record<string, Uint32Array>>;

/**
 * The mask of the `fraction` of all values that moved most; ties in the order of names and places. Exactly
 * round(fraction x values), at least one. Two passes over the bits of the movements instead of a sort: 60 ms for 3 million.
 * @param fraction above 0, at most 1
 * @throws RangeError on another fraction, or a movement that is negative or not a number
 */
export function selectIndices(movements: Movements, fraction: number): Selected {
  assertFraction(fraction);
  const names = namesInOrder(movements);
  const total = countValues(movements);
  const wanted = Math.min(total, Math.max(1, Math.round(total * fraction)));
  const { threshold, ties } = thresholdOf(movements, wanted);
  let tiesLeft = ties;
  const selected: Record<string, Uint32Array> = {};
  for (const name of names) {
    const bits = bitsOf(movements[name] as Float32Array);
    const at: number[] = [];
    for (let index = 0; index < bits.length; index += 1) {
      const each = bits[index] as number;
      if (each < threshold) continue;
      if (each === threshold) {
        if (tiesLeft === 0) continue;
        tiesLeft -= 1;
      }
      at.push(index);
    }
    if (at.length > 0) selected[name] = Uint32Array.from(at);
  }
  return selected;
}

/**
 * Channels (indices of the last axis) by the mean movement of their values, the greatest first, until they have `fraction`
 * of all values. @param shapes of the tensors of `movements`
 */
export function selectChannels(
  movements: Movements,
  shapes: Readonly<Record<string, readonly number[]>>,
  fraction: number,
): Selected {
  assertFraction(fraction);
  const ranked = namesInOrder(movements).flatMap((name) => {
    const movement = movements[name] as Float32Array;
    const channels = shapes[name]?.at(-1) ?? 1;
    const rows = movement.length / channels;
    const means = new Float64Array(channels);
    for (const [place, value] of movement.entries()) {
      means[place % channels] = (means[place % channels] as number) + value / rows;
    }
    return Array.from(means, (mean, channel) => ({ name, channel, mean, rows }));
  });
  ranked.sort((a, b) => b.mean - a.mean);
  const enough = countValues(movements) * fraction;
  const selected: Record<string, number[]> = {};
  let values = 0;
  for (const { name, channel, rows } of ranked) {
    if (values >= enough) break;
    (selected[name] ??= []).push(channel);
    values += rows;
  }
  return Object.fromEntries(Object.entries(selected).map(([name, at]) => [name, Uint32Array.from(at).sort()]));
}

function assertFraction(fraction: number): void {
  if (!(fraction > 0 && fraction <= 1))
    throw new RangeError(`a fraction must be above 0 and at most 1, not ${fraction}`);
}

function countValues(movements: Movements): number {
  return Object.values(movements).reduce((sum, { length }) => sum + length, 0);
}

/** As integers: ordered like the values, as none is negative. */
function bitsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

/** The bits of the `wanted`th greatest value, and how many of its equals are among the wanted. */
function thresholdOf(movements: Movements, wanted: number): { readonly threshold: number; readonly ties: number } {
  const all = Object.values(movements).map(bitsOf);
  const upper = new Uint32Array(1 << 16);
  for (const bits of all) {
    for (const each of bits) {
      if (each > INFINITY_BITS) throw new RangeError("a movement must be a number, and not negative");
      upper[each >>> 16] = (upper[each >>> 16] as number) + 1;
    }
  }
  const high = binOf(upper, wanted);
  const lower = new Uint32Array(1 << 16);
  for (const bits of all) {
    for (const each of bits) {
      if (each >>> 16 === high.bin) lower[each & 0xffff] = (lower[each & 0xffff] as number) + 1;
    }
  }
  const low = binOf(lower, high.left);
  return { threshold: high.bin * 0x10000 + low.bin, ties: low.left };
}

const INFINITY_BITS = 0x7f800000;

/** From the top, the bin that holds the `wanted`th, and its place there. */
function binOf(counts: Uint32Array, wanted: number): { readonly bin: number; readonly left: number } {
  let left = wanted;
  for (let bin = counts.length - 1; bin > 0; bin -= 1) {
    const count = counts[bin] as number;
    if (count >= left) return { bin, left };
    left -= count;
  }
  return { bin: 0, left };
}
