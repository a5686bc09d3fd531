import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { epochOrder } from "../../../src/data/index.ts";

const seed = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const epoch = fc.integer({ min: 0, max: 10_000 });

describe("epochOrder", () => {
  it("is a permutation for every count, seed and epoch, and the same on every call", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), seed, epoch, (count, ofSeed, ofEpoch) => {
        const order = epochOrder(count, ofSeed, ofEpoch);
        expect(Uint32Array.from(order).sort()).toEqual(Uint32Array.from({ length: count }, (_, index) => index));
        expect(epochOrder(count, ofSeed, ofEpoch)).toEqual(order);
      }),
    );
  });

  it("differs from epoch to epoch and from seed to seed", () => {
    fc.assert(
      fc.property(seed, epoch, (ofSeed, ofEpoch) => {
        const order = epochOrder(100, ofSeed, ofEpoch);
        expect(epochOrder(100, ofSeed, ofEpoch + 1)).not.toEqual(order);
        expect(epochOrder(100, ofSeed + 1, ofEpoch)).not.toEqual(order);
      }),
    );
  });

  it("is not the same with seed and epoch exchanged", () => {
    fc.assert(
      fc.property(epoch, epoch, (one, other) => {
        fc.pre(one !== other);
        expect(epochOrder(100, one, other)).not.toEqual(epochOrder(100, other, one));
      }),
    );
  });

  it("puts each of 4 samples at each place about equally often (chi-squared, 9 degrees of freedom)", () => {
    const rounds = 4000;
    const counts = new Float64Array(16);
    for (let round = 0; round < rounds; round += 1) {
      epochOrder(4, 1, round).forEach((sample, place) => {
        counts[4 * place + sample] = (counts[4 * place + sample] as number) + 1;
      });
    }
    const statistic = counts.reduce((sum, count) => sum + (count - rounds / 4) ** 2 / (rounds / 4), 0);
    expect(statistic).toBeLessThan(27.9); // exceeded by one in a thousand
  });
});
