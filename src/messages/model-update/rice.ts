/**
 * Ascending indices as Rice codes of their gaps (Rice and Plaunt 1971; Golomb 1966 with a divisor of 2^k). The gaps of a
 * random mask of density p are geometric, for which the code is within 0.05 bits per index of the entropy H(p) / p.
 * The bits are described in update.proto, TensorUpdate.gaps.
 */
import { refusal } from "../wire/refusal.ts";

/** Largest parameter: a gap is below 2^32, and one of 2^30 and more is one index of a tensor of a billion. */
export const MAX_RICE_BITS = 30;

export interface RiceCode {
  /** The parameter k: bits of each gap that are written as they are. */
  readonly riceBits: number;
  readonly bytes: Uint8Array;
}

/** @param ascending at least one, each below 2^32. @throws RangeError when they do not ascend */
export function encodeGaps(ascending: Uint32Array): RiceCode {
  const gaps = new Uint32Array(ascending.length);
  let next = 0;
  for (const [position, index] of ascending.entries()) {
    if (index < next) throw new RangeError(`Cannot encode the index ${index} after ${next - 1}: indices must ascend`);
    gaps[position] = index - next;
    next = index + 1;
  }
  const { riceBits, bits } = shortest(gaps);
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  let at = 0;
  for (const gap of gaps) {
    for (let ones = Math.floor(gap / 2 ** riceBits); ones > 0; ones -= 1, at += 1) setBit(bytes, at);
    at += 1; // the zero that ends the quotient
    for (let bit = riceBits - 1; bit >= 0; bit -= 1, at += 1) if ((gap >>> bit) & 1) setBit(bytes, at);
  }
  return { riceBits, bytes };
}

/**
 * @param count bounded by the caller, in proportion to the message: it is what memory is taken for.
 * @param limit what each index must be below.
 * @throws KnowledgeNetError KN_DECODE unless `bytes` is exactly the code of `count` indices below `limit`.
 */
export function decodeGaps(attempt: string, { riceBits, bytes }: RiceCode, count: number, limit: number): Uint32Array {
  if (riceBits > MAX_RICE_BITS) throw refusal(attempt, `rice_bits must be at most ${MAX_RICE_BITS}`, riceBits);
  const bits = bytes.length * 8;
  if (count * (riceBits + 1) > bits) {
    throw refusal(attempt, `${count} gaps must have ${riceBits + 1} bits each or more`, `${bits} bits`);
  }
  const ascending = new Uint32Array(count);
  const unit = 2 ** riceBits;
  let at = 0;
  let next = 0;
  for (let position = 0; position < count; position += 1) {
    let quotient = 0;
    for (; at < bits && isSet(bytes, at); at += 1) quotient += 1;
    at += 1;
    if (at + riceBits > bits) throw refusal(attempt, "its gaps must end within their bytes", `gap ${position}`);
    let rest = 0;
    for (const end = at + riceBits; at < end; at += 1) rest = rest * 2 + (isSet(bytes, at) ? 1 : 0);
    const index = next + quotient * unit + rest;
    if (index >= limit) throw refusal(attempt, `each selected place must be below ${limit}`, index);
    ascending[position] = index;
    next = index + 1;
  }
  if (bits - at >= 8) throw refusal(attempt, "its gaps must fill their bytes", `${bits - at} bits are left`);
  for (; at < bits; at += 1) if (isSet(bytes, at)) throw refusal(attempt, "gaps must be padded with zeros", "a one");
  return ascending;
}

/** The parameter of the fewest bits: the sum over the gaps is computed for each, as their distribution is not assumed. */
function shortest(gaps: Uint32Array): { readonly riceBits: number; readonly bits: number } {
  let best = { riceBits: 0, bits: Infinity };
  for (let riceBits = 0; riceBits <= MAX_RICE_BITS; riceBits += 1) {
    let bits = gaps.length * (riceBits + 1);
    for (const gap of gaps) bits += Math.floor(gap / 2 ** riceBits);
    if (bits >= best.bits) break; // convex in the parameter
    best = { riceBits, bits };
  }
  return best;
}

function setBit(bytes: Uint8Array, at: number): void {
  bytes[at >>> 3] = (bytes[at >>> 3] as number) | (0x80 >>> (at & 7));
}

function isSet(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at >>> 3] as number) & (0x80 >>> (at & 7))) !== 0;
}
