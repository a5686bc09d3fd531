/**
 * A tensor between the wire and the mathematics: dtype, shape and the values, row-major. Structurally equal to the
 * compute layer's own type, so that neither imports the other.
 */

/** Element types: IEEE 754 binary32, two's complement of 32 bits, unsigned byte. */
export type DType = "f32" | "i32" | "u8";

/** `values` has exactly the elements of `shape`; the function that returns a view documents its owner. */
export type TensorView =
  | { readonly dtype: "f32"; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly dtype: "i32"; readonly shape: readonly number[]; readonly values: Int32Array }
  | { readonly dtype: "u8"; readonly shape: readonly number[]; readonly values: Uint8Array };

/** On an array of its own, owned by the caller. Not by `slice`, which of a Node Buffer gives a view. */
export function copyTensor(tensor: TensorView): TensorView {
  switch (tensor.dtype) {
    case "f32":
      return { ...tensor, values: new Float32Array(tensor.values) };
    case "i32":
      return { ...tensor, values: new Int32Array(tensor.values) };
    case "u8":
      return { ...tensor, values: new Uint8Array(tensor.values) };
  }
}

/** Bytes of one element. */
export const BYTES_PER_ELEMENT = { f32: 4, i32: 4, u8: 1 } as const satisfies Record<DType, number>;

/** Axes that a tensor may have on the wire. */
export const MAX_RANK = 8;

/**
 * Elements of a shape, 1 for a scalar; undefined when an extent is not an integer of 1 or more, or beyond 2^53 - 1 in
 * all.
 */
export function countElements(shape: readonly number[]): number | undefined {
  let elements = 1;
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 1) return undefined;
    elements *= extent;
    if (elements > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return elements;
}

/** The bytes of a typed array, without a copy. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** `bytes` at an offset that any typed array accepts: itself when it has one, else a copy. */
export function alignedBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
}
