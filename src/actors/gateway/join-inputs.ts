/** Inputs of several requests as one batch. */
import type { TensorView } from "../../messages/index.ts";

/** [n1, ...s], [n2, ...s], ... -> [n1 + n2 + ..., ...s]; f32 where one of them is. A single input is itself. */
export function joinInputs(inputs: readonly TensorView[]): TensorView {
  const [first, second] = inputs;
  if (first === undefined) throw new RangeError("Cannot join no inputs");
  if (second === undefined) return first;
  const samples = inputs.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const shape = [samples, ...first.shape.slice(1)];
  const length = inputs.reduce((sum, { values }) => sum + values.length, 0);
  const isBytes = inputs.every(({ dtype }) => dtype === "u8");
  const values = isBytes ? new Uint8Array(length) : new Float32Array(length);
  let at = 0;
  for (const each of inputs) {
    values.set(each.values, at);
    at += each.values.length;
  }
  return values instanceof Uint8Array ? { dtype: "u8", shape, values } : { dtype: "f32", shape, values };
}

export function isAllFinite({ dtype, values }: TensorView): boolean {
  return dtype !== "f32" || values.every(Number.isFinite);
}

/** Of [n, ...sample]. */
export function sampleShapeOf({ shape }: Pick<TensorView, "shape">): string {
  return shape.slice(1).join();
}
