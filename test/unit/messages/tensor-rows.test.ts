import { describe, expect, it } from "vitest";
import { rowsOf, stack, type TensorView } from "../../../src/messages/index.ts";

describe("stack", () => {
  it("puts samples one after the other, in bytes or floats", () => {
    const samples = [{ values: Uint8Array.of(1, 2) }, { values: Buffer.from([3, 255]) }];
    expect(stack(samples, { sampleShape: [1, 2], dtype: "u8" })).toEqual({
      ...{ dtype: "u8", shape: [2, 1, 2], values: Uint8Array.of(1, 2, 3, 255) },
    });
    expect(stack([{ values: Float32Array.of(0.5) }], { sampleShape: [1], dtype: "f32" })).toEqual({
      ...{ dtype: "f32", shape: [1, 1], values: Float32Array.of(0.5) },
    });
    expect(stack([], { sampleShape: [2], dtype: "u8" })).toMatchObject({ shape: [0, 2] });
  });
});

describe("rowsOf", () => {
  it.each<[string, TensorView["values"]]>([
    ["f32", Float32Array.of(1, 2, 3, 4, 5, 6)],
    ["i32", Int32Array.of(1, 2, 3, 4, 5, 6)],
    ["u8", Uint8Array.of(1, 2, 3, 4, 5, 6)],
    ["u8", Buffer.from([1, 2, 3, 4, 5, 6])],
  ])("gives rows of %s on an array of their own", (dtype, values) => {
    const whole = { dtype, shape: [3, 1, 2], values } as TensorView;
    const rows = rowsOf(whole, 1, 3);
    values.fill(0);
    expect(rows).toMatchObject({ dtype, shape: [2, 1, 2] });
    expect([...rows.values]).toEqual([3, 4, 5, 6]);
    expect(rows.values.buffer.byteLength).toBe(rows.values.byteLength);
    expect(rowsOf(whole, 1, 1)).toMatchObject({ shape: [0, 1, 2] });
  });

  it("is what stack has put together", () => {
    const samples = [{ values: Uint8Array.of(1, 2) }, { values: Uint8Array.of(3, 4) }];
    const whole = stack(samples, { sampleShape: [2], dtype: "u8" });
    expect(samples.map((_, row) => rowsOf(whole, row, row + 1).values)).toEqual(samples.map(({ values }) => values));
  });
});
