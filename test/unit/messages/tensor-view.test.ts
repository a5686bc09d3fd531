import { describe, expect, it } from "vitest";
import { copyTensor, type TensorView } from "../../../src/messages/index.ts";

describe("copyTensor", () => {
  it.each<[string, TensorView]>([
    ["f32", { dtype: "f32", shape: [2], values: Float32Array.of(1.5, -2) }],
    ["i32", { dtype: "i32", shape: [1, 2], values: Int32Array.of(-3, 4) }],
    ["u8", { dtype: "u8", shape: [2, 1], values: Uint8Array.of(5, 6) }],
    ["u8 in a Buffer", { dtype: "u8", shape: [2], values: Buffer.from([5, 6]) }],
    ["part of an array", { dtype: "f32", shape: [1], values: Float32Array.of(1, 2, 3).subarray(1, 2) }],
  ])("gives %s on an array of its own", (_name, tensor) => {
    const values = Array.from(tensor.values);
    const copy = copyTensor(tensor);
    tensor.values.fill(0);
    expect({ ...copy, values: Array.from(copy.values) }).toEqual({ ...tensor, values });
    expect(copy.values.buffer.byteLength).toBe(copy.values.byteLength);
  });
});
