/** Rows of logits as classes and confidences. Pure. */

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
