import { describe, expect, it } from "vitest";
import type { TensorData } from "../../../../src/compute/index.ts";
import { mixRows } from "../../../../src/compute/distillation/mix-rows.ts";

const ROWS = 4000;
const filled = (value: number, shape: readonly number[] = [ROWS, 3]): TensorData => ({
  dtype: "f32",
  shape,
  values: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});
const [TEACHER, OWN] = [filled(1), filled(2)];

/** The row's value; NaN where a row is of both. */
function rowsOf({ values }: TensorData): number[] {
  return Array.from({ length: ROWS }, (_, row) => {
    const [first, ...others] = values.subarray(3 * row, 3 * row + 3);
    return others.every((value) => value === first) ? (first ?? NaN) : NaN;
  });
}

describe("mixRows", () => {
  it("is the one or the other at the ends of the dial, not a copy", () => {
    expect(mixRows(TEACHER, undefined, 0, 1)).toBe(TEACHER);
    expect(mixRows(TEACHER, OWN, 1, 1)).toBe(OWN);
  });

  it("draws whole rows, so many as the share says", () => {
    for (const share of [0.1, 0.5, 0.75]) {
      const rows = rowsOf(mixRows(TEACHER, OWN, share, 7));
      expect(new Set(rows)).toEqual(new Set([1, 2]));
      const own = rows.filter((value) => value === 2).length / ROWS;
      // Five standard deviations of a binomial share.
      expect(Math.abs(own - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / ROWS));
    }
  });

  it("depends on the seed and on nothing else, and leaves what it was given alone", () => {
    const first = rowsOf(mixRows(TEACHER, OWN, 0.5, 7));
    expect(rowsOf(mixRows(TEACHER, OWN, 0.5, 7))).toEqual(first);
    expect(rowsOf(mixRows(TEACHER, OWN, 0.5, 8))).not.toEqual(first);
    expect(new Set(rowsOf(TEACHER))).toEqual(new Set([1]));
  });

  it("refuses rows of another shape with KN_SHAPE, and a share without an own input", () => {
    expect(() => mixRows(TEACHER, filled(2, [ROWS, 4]), 0.5, 1)).toThrow(/KN_SHAPE.*\[4000, 3\].*\[4000, 4\]/);
    expect(() => mixRows(TEACHER, undefined, 0.5, 1)).toThrow(TypeError);
  });
});
