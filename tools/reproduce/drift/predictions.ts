/** Logits to classes, and how many of them are right. */
import { classesOf, type StudentLab } from "../../../src/actors/learner/index.ts";
import type { TensorView } from "../../../src/messages/index.ts";

/** @returns the class of each row; -1 where the logits are not finite. */
export async function predict(lab: StudentLab, key: number, inputs: TensorView, classes: number): Promise<Int32Array> {
  const { logits, nonFiniteRows } = await lab.answer(key, inputs);
  const predictions = Int32Array.from(classesOf(logits, classes));
  for (const row of nonFiniteRows) predictions[row] = -1;
  return predictions;
}

export function shareRight(predictions: Int32Array, labels: Int32Array): number {
  return predictions.reduce((right, label, row) => right + Number(label === labels[row]), 0) / labels.length;
}
