/** Compares a candidate's answers with those of the live release. */
import type { TensorView } from "../../messages/index.ts";
import type { ReleaseFigures } from "./release-guard.ts";

export interface Expected {
  /** f32 [n, classes] */
  readonly expected: TensorView;
  readonly nonFinite: readonly number[];
}

/** Counts samples whose class differs, and those without a finite answer where the live release has one. */
export function compareShadow(
  figures: ReleaseFigures,
  { expected, nonFinite }: Expected,
  logits: TensorView,
  itsNonFinite: readonly number[],
): void {
  const [samples = 0, classes = 1] = expected.shape;
  for (let row = 0; row < samples; row += 1) {
    if (nonFinite.includes(row)) continue;
    if (itsNonFinite.includes(row)) {
      figures.nonFiniteAlone += 1;
      continue;
    }
    figures.compared += 1;
    if (bestOf(expected, row, classes) !== bestOf(logits, row, logits.shape[1] ?? 1)) figures.differing += 1;
  }
}

function bestOf({ values }: TensorView, row: number, classes: number): number {
  let best = 0;
  for (let index = 1; index < classes; index += 1)
    if ((values[row * classes + index] ?? 0) > (values[row * classes + best] ?? 0)) best = index;
  return best;
}
