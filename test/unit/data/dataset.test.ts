import { describe, expect, it } from "vitest";
import { createSplit } from "../../../src/data/index.ts";

const content = {
  samples: Uint8Array.from({ length: 5 * 4 }, (_, index) => index),
  labels: Uint8Array.of(9, 8, 7, 6, 5),
  sampleShape: [2, 2, 1],
};

describe("createSplit", () => {
  it("batch gives samples and labels by index, in the order asked for, repeats too", () => {
    const { samples, labels } = createSplit(content).batch([4, 0, 4]);
    expect(samples).toEqual({
      dtype: "u8",
      shape: [3, 2, 2, 1],
      values: Uint8Array.of(16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19),
    });
    expect(labels).toEqual({ dtype: "i32", shape: [3], values: Int32Array.of(5, 9, 5) });
  });

  it("batch gives buffers of the caller's own", () => {
    const split = createSplit(content);
    split.batch([0]).samples.values.fill(77);
    expect([...split.batch([0]).samples.values]).toEqual([0, 1, 2, 3]);
  });

  it("batch of no index is empty", () => {
    expect(createSplit(content).batch([]).samples.shape).toEqual([0, 2, 2, 1]);
  });

  it("batch refuses an index outside the split, or outside its limit, with RangeError", () => {
    for (const index of [-1, 5, Number.NaN, 1.5])
      expect(() => createSplit(content).batch([0, index]), String(index)).toThrow(RangeError);
    expect(() => createSplit({ ...content, limit: 2 }).batch([2])).toThrow(RangeError);
    expect(createSplit({ ...content, limit: 2 }).batch([1]).labels.values[0]).toBe(8);
  });

  it("limit shortens the split and never lengthens it", () => {
    expect(createSplit({ ...content, limit: 2 }).count).toBe(2);
    expect(createSplit({ ...content, limit: 99 }).count).toBe(5);
  });
});
