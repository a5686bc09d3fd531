import { describe, expect, it } from "vitest";
import { createClassReservoir } from "../../../../src/continuous/replay/class-reservoir.ts";
import { randomFrom } from "../../../support/random.ts";

/** How often each item is in the sample, over many seeds; the class of an item is in `labels`. */
function inclusions(labels: readonly number[], capacity: number, seeds: number): number[] {
  const times = labels.map(() => 0);
  for (let seed = 0; seed < seeds; seed += 1) {
    const reservoir = createClassReservoir<number>({ classes: 3, capacity, words: [seed] });
    for (const [item, label] of labels.entries()) reservoir.offer(item, label);
    for (const item of reservoir.held.flat()) times[item] = (times[item] ?? 0) + 1;
  }
  return times.map((count) => count / seeds);
}
const SEEDS = 3_000;
/** Four and a half standard errors: for a hundred items together, once in a thousand. */
const boundOf = (share: number): number => 4.5 * Math.sqrt((share * (1 - share)) / SEEDS);

describe("createClassReservoir", () => {
  it("every item of one class is as likely to be held (Vitter 1985)", () => {
    for (const share of inclusions(new Array<number>(40).fill(0), 8, SEEDS)) {
      expect(Math.abs(share - 8 / 40)).toBeLessThan(boundOf(8 / 40));
    }
  });

  it("also after new classes have made the share of each smaller", () => {
    const labels = [
      ...new Array<number>(30).fill(0),
      ...new Array<number>(20).fill(1),
      2,
      ...new Array<number>(20).fill(0),
    ];
    const shares = inclusions(labels, 12, SEEDS);
    const seen = [50, 20, 1];
    for (const [item, share] of shares.entries()) {
      const expected = Math.min(1, 4 / (seen[labels[item] ?? NaN] ?? NaN));
      expect(Math.abs(share - expected)).toBeLessThan(boundOf(expected) + 1e-12);
    }
  });

  it("is balanced whatever comes most, and never beyond its capacity", () => {
    const random = randomFrom(8);
    const reservoir = createClassReservoir<number>({ classes: 10, capacity: 105, words: [1] });
    let out = 0;
    for (let item = 0; item < 5_000; item += 1) {
      const label = random() < 0.95 ? 0 : Math.floor(random() * 10);
      out += reservoir.offer(item, label).length;
      const held = reservoir.held.flat().length;
      expect(held).toBeLessThanOrEqual(105);
      expect(held + out).toBe(item + 1);
    }
    expect(reservoir.held.map(({ length }) => length)).toEqual(new Array(10).fill(10));
  });

  it("goes on from its state as if it had not been away", () => {
    const options = { classes: 3, capacity: 10, words: [5] };
    const random = randomFrom(9);
    const labels = Array.from({ length: 200 }, () => Math.floor(random() ** 2 * 3));
    const whole = createClassReservoir<number>(options);
    let resumed = createClassReservoir<number>(options);
    for (const [item, label] of labels.entries()) {
      expect(resumed.offer(item, label)).toEqual(whole.offer(item, label));
      resumed = createClassReservoir<number>(options, structuredClone({ held: resumed.held, seen: resumed.seen }));
      expect(resumed.held).toEqual(whole.held);
    }
  });

  it("refuses a class that does not exist", () => {
    const reservoir = createClassReservoir<number>({ classes: 3, capacity: 10, words: [] });
    expect(() => reservoir.offer(1, 3)).toThrow(RangeError);
  });
});
