/**
 * A tensor outside the tensor library, as it enters and leaves a compute worker. Plain and transferable.
 * The same shape as the wire's decoded view, so that neither layer needs the other.
 */
export type TensorData =
  | { readonly dtype: "f32"; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly dtype: "i32"; readonly shape: readonly number[]; readonly values: Int32Array }
  | { readonly dtype: "u8"; readonly shape: readonly number[]; readonly values: Uint8Array };

export type NamedTensorData = Readonly<Record<string, TensorData>>;

/** Places within tensors, by the tensors' names: indices of values, row-major. */
export type NamedPlaces = Readonly<Record<string, Uint32Array>>;

/** The buffers to transfer with a message, so that a tensor moves to another thread without a copy. */
export function transferList(tensors: readonly (TensorData | undefined)[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const tensor of tensors) {
    if (tensor === undefined) continue;
    const { buffer, byteOffset, byteLength } = tensor.values;
    // A buffer moves only when the tensor fills it: a view on a network message is copied.
    if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) buffers.add(buffer);
  }
  return [...buffers];
}
