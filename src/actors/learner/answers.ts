/** Rows of logits as classes and confidences. Pure. */
import type { TensorView } from "../../messages/index.ts";
import type { FollowedInput } from "./follower-options.ts";

/** [n] of logits [n, classes]: the index of the greatest; of equals the first. */
export function classesOf(logits: Float32Array, classes: number): number[] {
  return Array.from({ length: logits.length / classes }, (_, row) => {
    let best = 0;
    for (let each = 1; each < classes; each += 1) {
      if ((logits[row * classes + each] as number) > (logits[row * classes + best] as number)) best = each;
    }
    return best;
  });
}

/** Largest softmax output of one row of logits. */
export function confidenceOf(logits: Float32Array): number {
  const greatest = logits.reduce((max, each) => Math.max(max, each), -Infinity);
  return 1 / logits.reduce((sum, each) => sum + Math.exp(each - greatest), 0);
}

/** One after the other: [n, ...sampleShape], a copy. */
export function stack(
  inputs: readonly Pick<FollowedInput, "values">[],
  { sampleShape, dtype }: { readonly sampleShape: readonly number[]; readonly dtype: "u8" | "f32" },
): TensorView {
  const elements = sampleShape.reduce((product, extent) => product * extent, 1);
  const shape = [inputs.length, ...sampleShape];
  if (dtype === "u8") {
    const values = new Uint8Array(inputs.length * elements);
    for (const [row, each] of inputs.entries()) values.set(each.values, row * elements);
    return { dtype, shape, values };
  }
  const values = new Float32Array(inputs.length * elements);
  for (const [row, each] of inputs.entries()) values.set(each.values, row * elements);
  return { dtype, shape, values };
}

/** Rows `from` to `to` of a tensor [n, ...], a copy. */
export function rowsOf({ dtype, shape, values }: TensorView, from: number, to: number): TensorView {
  const elements = values.length / Math.max(1, shape[0] ?? 1);
  const part = values.slice(from * elements, to * elements);
  return { dtype, shape: [part.length / elements, ...shape.slice(1)], values: part } as TensorView;
}
