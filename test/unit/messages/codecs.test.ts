import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBf16, encodeBf16 } from "../../../src/messages/codecs/bf16.ts";
import { isAllFinite } from "../../../src/messages/codecs/finite.ts";
import {
  decodeInt8Block,
  decodeInt8Channel,
  encodeInt8Block,
  encodeInt8Channel,
} from "../../../src/messages/codecs/int8.ts";
import { anyValue } from "./samples.ts";

const anyBits = fc.integer({ min: 0, max: 0xffffffff });

function fromBits(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

function bf16(values: readonly number[]): { readonly isFinite: boolean; readonly decoded: Float32Array } {
  const target = new Uint8Array(values.length * 2);
  const isFinite = encodeBf16(new Float32Array(values), target);
  const decoded = new Float32Array(values.length);
  if (isFinite) decodeBf16(target, decoded);
  return { isFinite, decoded };
}

/**
 * The nearest bfloat16 by arithmetic on doubles, which never looks at the value's own bits: scale so that one unit is the
 * last place of bf16 (8 significant bits; 2^-133 in the subnormals), round half to even, scale back.
 */
function nearestBf16(value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return value;
  let exponent = -126;
  while (magnitude >= 2 ** (exponent + 1)) exponent += 1;
  const unit = 2 ** (exponent - 7);
  const below = Math.floor(magnitude / unit);
  const rest = magnitude / unit - below;
  const isUp = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  return Math.sign(value) * (isUp ? below + 1 : below) * unit;
}

describe("encodeBf16", () => {
  it("gives the nearest bfloat16 of every finite value, ties to even", () => {
    fc.assert(
      fc.property(anyBits, (bits) => {
        const value = fromBits(bits);
        const nearest = nearestBf16(value);
        fc.pre(Number.isFinite(value) && Number.isFinite(Math.fround(nearest)));
        expect(bf16([value]).decoded[0]).toBe(nearest);
      }),
      { numRuns: 5000 },
    );
  });

  it("rounds a tie to the even neighbour on both sides", () => {
    expect([...bf16([fromBits(0x3f808000), fromBits(0x3f818000), fromBits(0xbf808000)]).decoded]).toEqual([
      1, 1.015625, -1,
    ]);
  });

  it("keeps a normal value within 2^-8 of itself", () => {
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(1e-37), max: Math.fround(3.3e38) }),
        (value) => {
          expect(Math.abs((bf16([value]).decoded[0] as number) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
        },
      ),
    );
  });

  it("keeps what is a bfloat16 already, both zeros included", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (half) => {
        const value = fromBits(half * 65536);
        fc.pre(Number.isFinite(value));
        expect(bf16([value]).decoded[0]).toBe(value);
      }),
    );
  });

  it.each([
    NaN,
    Infinity,
    -Infinity,
    fromBits(0x7fffffff),
    fromBits(0xffffffff),
    fromBits(0x7f7f8000),
    fromBits(0xff7fffff),
  ])("refuses %s, which is or rounds to something not finite", (value) => {
    expect(bf16([1, value, 2]).isFinite).toBe(false);
  });

  it("takes the largest value that rounds to something finite", () => {
    expect(bf16([fromBits(0x7f7f7fff)])).toEqual({ isFinite: true, decoded: new Float32Array([fromBits(0x7f7f0000)]) });
  });
});

describe("decodeBf16", () => {
  it.each([0x7f80, 0xff80, 0x7fc0, 0xffff])("refuses the pattern %i", (half) => {
    const data = new Uint8Array(new Uint16Array([0x3f80, half]).buffer);
    expect(decodeBf16(data, new Float32Array(2))).toBe(false);
  });
});

describe("isAllFinite", () => {
  it("agrees with Number.isFinite on every bit pattern, at every position", () => {
    fc.assert(
      fc.property(fc.array(anyBits, { maxLength: 12 }), (patterns) => {
        const values = new Float32Array(new Uint32Array(patterns).buffer);
        expect(isAllFinite(values)).toBe(values.every(Number.isFinite));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([0, 1, 2, 3, 4, 5, 6])("finds a lone NaN at position %i of 7", (position) => {
    expect(isAllFinite(new Float32Array(7).fill(1).fill(NaN, position, position + 1))).toBe(false);
  });
});

/** What rounding to binary32 on the way back adds to the bound. */
const ROUNDING = 1 + 2 ** -15;

function expectWithin(values: Float32Array, decoded: Float32Array, scaleAt: (index: number) => number): void {
  for (const [index, value] of values.entries()) {
    const error = Math.abs(value - (decoded[index] as number));
    expect(error).toBeLessThanOrEqual((scaleAt(index) / 2) * ROUNDING);
  }
}

describe("encodeInt8Channel", () => {
  const anyRows = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
    .chain(([rows, channels]) =>
      fc
        .array(anyValue, { minLength: rows * channels, maxLength: rows * channels })
        .map((values) => ({ channels, values: new Float32Array(values) })),
    );

  it("keeps every value within half a scale, and every scale at the peak of its channel / 127", () => {
    fc.assert(
      fc.property(anyRows, ({ channels, values }) => {
        const data = new Uint8Array(values.length);
        const scales = new Float32Array(channels);
        expect(encodeInt8Channel(values, channels, data, scales)).toBe(true);
        const decoded = new Float32Array(values.length);
        decodeInt8Channel(data, channels, scales, decoded);
        expectWithin(values, decoded, (index) => scales[index % channels] as number);
        for (const [channel, scale] of scales.entries()) {
          const peak = Math.max(...values.filter((_, index) => index % channels === channel).map(Math.abs));
          expect(scale).toBe(peak === 0 ? 0 : Math.max(Math.fround(peak / 127), 2 ** -126));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("never writes -128", () => {
    const data = new Uint8Array(4);
    encodeInt8Channel(new Float32Array([-3, 3, -2.999, 0]), 1, data, new Float32Array(1));
    expect([...new Int8Array(data.buffer)]).toEqual([-127, 127, -127, 0]);
  });

  it("gives a channel of zeros the scale 0 and zeros back", () => {
    const data = new Uint8Array(4);
    const scales = new Float32Array(2);
    encodeInt8Channel(new Float32Array([0, 1, -0, -1]), 2, data, scales);
    const decoded = new Float32Array(4).fill(9);
    decodeInt8Channel(data, 2, scales, decoded);
    expect([scales[0], ...decoded]).toEqual([0, 0, 1, 0, -1]);
  });

  it.each([NaN, Infinity, -Infinity, 3.4e38])("refuses %s", (value) => {
    expect(encodeInt8Channel(new Float32Array([1, 2, value, 4]), 2, new Uint8Array(4), new Float32Array(2))).toBe(
      false,
    );
  });
});

describe("encodeInt8Block", () => {
  it("keeps every value within half the scale of its own block, the last and shorter one included", () => {
    fc.assert(
      fc.property(
        fc.array(anyValue, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        (list, block) => {
          const values = new Float32Array(list);
          const data = new Uint8Array(values.length);
          const scales = new Float32Array(Math.ceil(values.length / block));
          expect(encodeInt8Block(values, block, data, scales)).toBe(true);
          const decoded = new Float32Array(values.length);
          decodeInt8Block(data, block, scales, decoded);
          expectWithin(values, decoded, (index) => scales[Math.floor(index / block)] as number);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("does not let an outlier spoil another block", () => {
    const values = new Float32Array([1000, 0.1, 0.2, 0.3]);
    const data = new Uint8Array(4);
    const scales = new Float32Array(2);
    encodeInt8Block(values, 2, data, scales);
    expect(scales[1]).toBe(Math.fround(Math.fround(0.3) / 127));
  });

  it.each([NaN, Infinity, -Infinity, 3.4e38])("refuses %s", (value) => {
    expect(encodeInt8Block(new Float32Array([1, 2, value, 4]), 2, new Uint8Array(4), new Float32Array(2))).toBe(false);
  });
});
