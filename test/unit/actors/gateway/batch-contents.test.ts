/** Inputs to a batch, its result to rows, and a shadow's answers against the live ones. */
import { describe, expect, it } from "vitest";
import { compareShadow } from "../../../../src/actors/gateway/compare-shadow.ts";
import { isAllFinite, joinInputs, sampleShapeOf } from "../../../../src/actors/gateway/join-inputs.ts";
import { noFigures } from "../../../../src/actors/gateway/release-guard.ts";
import type { TensorView } from "../../../../src/messages/index.ts";

const f32 = (shape: readonly number[], ...values: number[]): TensorView => ({
  dtype: "f32",
  shape,
  values: Float32Array.from(values),
});
const u8 = (shape: readonly number[], ...values: number[]): TensorView => ({
  dtype: "u8",
  shape,
  values: Uint8Array.from(values),
});

describe("joinInputs", () => {
  it("puts the rows one after another", () => {
    expect(joinInputs([f32([1, 2], 1, 2), f32([2, 2], 3, 4, 5, 6)])).toEqual(f32([3, 2], 1, 2, 3, 4, 5, 6));
  });

  it("keeps bytes among bytes, and makes floats of them beside floats", () => {
    expect(joinInputs([u8([1, 1], 7), u8([1, 1], 255)])).toEqual(u8([2, 1], 7, 255));
    expect(joinInputs([u8([1, 1], 255), f32([1, 1], 0.5)])).toEqual(f32([2, 1], 255, 0.5));
  });

  it("copies nothing for one input, and refuses none", () => {
    const only = f32([1, 1], 1);
    expect(joinInputs([only])).toBe(only);
    expect(() => joinInputs([])).toThrow(RangeError);
  });
});

describe("isAllFinite and sampleShapeOf", () => {
  it("find what does not fit", () => {
    expect([f32([1], 1), f32([1], NaN), f32([1], -Infinity), u8([1], 255)].map(isAllFinite)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(sampleShapeOf({ shape: [5, 28, 28, 1] })).toBe("28,28,1");
  });
});

describe("compareShadow", () => {
  const live = f32([3, 2], 1, 2, 5, 0, 0, 3);

  it("counts samples of another class, by their largest logit", () => {
    const figures = noFigures();
    compareShadow(figures, { expected: live, nonFinite: [] }, f32([3, 2], 8, 9, 0, 1, 1, 9), []);
    expect(figures).toMatchObject({ compared: 3, differing: 1, nonFiniteAlone: 0 });
  });

  it("counts what only the candidate cannot answer, and compares nothing that the live release cannot", () => {
    const figures = noFigures();
    compareShadow(figures, { expected: live, nonFinite: [0] }, f32([3, 2], 0, 0, 9, 0, 0, 0), [0, 2]);
    expect(figures).toMatchObject({ compared: 1, differing: 0, nonFiniteAlone: 1 });
  });
});
