import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeGaps, encodeGaps } from "../../../../src/messages/model-update/rice.ts";
import { randomMask } from "./update-samples.ts";

const LIMIT = 2 ** 32 - 1;
const anyIndices = fc
  .uniqueArray(fc.oneof(fc.nat(300), fc.nat(100_000), fc.integer({ min: 0, max: LIMIT - 1 })), { minLength: 1 })
  .map((list) => Uint32Array.from(list).sort());

/** Bits per index of a mask of density p: the entropy of one place, times the places per index (Shannon 1948). */
function entropyBits(p: number): number {
  return (-p * Math.log2(p) - (1 - p) * Math.log2(1 - p)) / p;
}

describe("encodeGaps", () => {
  it("writes the bits that the schema describes", () => {
    // Gaps 3, 0, 5 with k = 1: 10|1, 0|0, 110|1.
    expect(encodeGaps(Uint32Array.of(3, 4, 10))).toEqual({ riceBits: 1, bytes: Uint8Array.of(0b10100110, 0b10000000) });
  });

  it("comes back, whatever the indices", () => {
    fc.assert(
      fc.property(anyIndices, (indices) => {
        expect(decodeGaps("test", encodeGaps(indices), indices.length, LIMIT)).toEqual(indices);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0.001, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3])(
    "of density %d is within 4 %% of the entropy, and above it",
    (p) => {
      const mask = randomMask(1_000_000, p, 7);
      const bits = (encodeGaps(mask).bytes.length * 8) / mask.length;
      const bound = entropyBits(mask.length / 1_000_000);
      expect(bits / bound).toBeLessThan(1.04);
      expect(bits / bound).toBeGreaterThan(0.995);
    },
  );

  it("takes the parameter of the fewest bytes", () => {
    fc.assert(
      fc.property(anyIndices, (indices) => {
        const { bytes } = encodeGaps(indices);
        const gaps = [...indices].map((index, at) => index - (at === 0 ? -1 : (indices[at - 1] as number)) - 1);
        for (let k = 0; k <= 30; k += 1) {
          const bits = gaps.reduce((sum, gap) => sum + Math.floor(gap / 2 ** k) + 1 + k, 0);
          expect(bytes.length).toBeLessThanOrEqual(Math.ceil(bits / 8));
        }
      }),
    );
  });

  it("refuses indices that do not ascend", () => {
    expect(() => encodeGaps(Uint32Array.of(4, 4))).toThrow(/must ascend/);
  });
});

describe("decodeGaps", () => {
  const decode = (riceBits: number, bytes: readonly number[], count: number, limit = 100): Uint32Array =>
    decodeGaps("test", { riceBits, bytes: Uint8Array.from(bytes) }, count, limit);

  it.each([
    ["a parameter above 30", () => decode(31, [0, 0, 0, 0, 0], 1), /at most 30/],
    ["more gaps than its bits hold", () => decode(0, [0], 9), /1 bits each/],
    ["a quotient without an end", () => decode(0, [0xff, 0xff], 1), /end within/],
    ["a rest without an end", () => decode(6, [0b11000000], 1), /end within/],
    ["an index at the limit", () => decode(0, [0b11111110], 1, 7), /below 7/],
    ["an index far above 2^32", () => decode(30, [...Array<number>(64).fill(0xff), 0, 0, 0, 0, 0], 1), /below 100/],
    ["a byte too many", () => decode(0, [0, 0], 1), /fill their bytes/],
    ["a padding of ones", () => decode(0, [0b01000000], 1), /padded/],
  ])("refuses %s", (_what, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  it("takes one code only for any bytes: what it reads is encoded to the same bytes by the same parameter", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        fc.nat(6),
        fc.integer({ min: 1, max: 12 }),
        (bytes, k, n) => {
          let indices: Uint32Array;
          try {
            indices = decodeGaps("test", { riceBits: k, bytes }, n, 1000);
          } catch (error) {
            expect(error).toMatchObject({ code: "KN_DECODE" });
            return;
          }
          let text = "";
          let next = 0;
          for (const index of indices) {
            const gap = index - next;
            text += `${"1".repeat(gap >> k)}0${k === 0 ? "" : (gap & ((1 << k) - 1)).toString(2).padStart(k, "0")}`;
            next = index + 1;
          }
          const padded = text.padEnd(Math.ceil(text.length / 8) * 8, "0");
          expect([...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("")).toBe(padded);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
