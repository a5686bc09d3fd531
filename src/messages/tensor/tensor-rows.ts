/** Samples to a tensor of them, and back. */
import type { TensorView } from "./tensor-view.ts";

export interface StackOptions {
  readonly sampleShape: readonly number[];
  readonly dtype: "u8" | "f32";
}

/** One after the other: [n, ...sampleShape], a copy. Each has the elements of `sampleShape`. */
export function stack(
  samples: readonly { readonly values: ArrayLike<number> }[],
  { sampleShape, dtype }: StackOptions,
): TensorView {
  const elements = sampleShape.reduce((product, extent) => product * extent, 1);
  const shape = [samples.length, ...sampleShape];
  const count = samples.length * elements;
  const tensor: TensorView =
    dtype === "u8"
      ? { dtype, shape, values: new Uint8Array(count) }
      : { dtype, shape, values: new Float32Array(count) };
  for (const [row, { values }] of samples.entries()) tensor.values.set(values, row * elements);
  return tensor;
}

/** Rows `from` to `to` (exclusive) of [n, ...sample], on an array of their own. */
export function rowsOf(tensor: TensorView, from: number, to: number): TensorView {
  const [, ...sample] = tensor.shape;
  const elements = sample.reduce((product, extent) => product * extent, 1);
  const [start, end, shape] = [from * elements, to * elements, [to - from, ...sample]];
  switch (tensor.dtype) {
    case "f32":
      return { dtype: "f32", shape, values: new Float32Array(tensor.values.subarray(start, end)) };
    case "i32":
      return { dtype: "i32", shape, values: new Int32Array(tensor.values.subarray(start, end)) };
    case "u8":
      return { dtype: "u8", shape, values: new Uint8Array(tensor.values.subarray(start, end)) };
  }
}
