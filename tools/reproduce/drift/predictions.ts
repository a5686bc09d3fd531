/** Logits to classes, and how many of them are right. */
import type { StudentLab } from "../../../src/actors/learner/index.ts";
import type { TensorView } from "../../../src/messages/index.ts";

/** @returns the class of each row; -1 where the logits are not finite. */
export async function predict(lab: StudentLab, key: number, inputs: TensorView, classes: number): Promise<Int32Array> {
  const { logits, nonFiniteRows } = await lab.answer(key, inputs);
  const predictions = classesOf(logits, classes);
  for (const row of nonFiniteRows) predictions[row] = -1;
  return predictions;
}

/** [n, classes] -> [n] */
export function classesOf(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, row) => {
    let best = 0;
    for (let label = 1; label < classes; label += 1) {
      if ((logits[row * classes + label] as number) > (logits[row * classes + best] as number)) best = label;
    }
    return best;
  });
}

export function shareRight(predictions: Int32Array, labels: Int32Array): number {
  return predictions.reduce((right, label, row) => right + Number(label === labels[row]), 0) / labels.length;
}

/** Rows `from` to `to` (excluded), a view. */
export function rowsOf(inputs: TensorView, from: number, to: number): TensorView {
  const [rows = 0, ...sample] = inputs.shape;
  const size = inputs.values.length / rows;
  return {
    ...inputs,
    shape: [to - from, ...sample],
    values: inputs.values.subarray(from * size, to * size),
  } as TensorView;
}
