/**
 * Weight gradients that the next update includes. Several since the last update count as their mean, so that the
 * weights of the combination do not depend on their number.
 */
import * as tf from "@tensorflow/tfjs";

export interface PendingGradients {
  /** Contributions since the last update. */
  readonly count: number;
  /** `share` times `gradients`, one per trained weight, takes over. */
  add(gradients: readonly tf.Tensor[], share: number): void;
  /**
   * `share` times `gradients` plus the mean of the pending ones, which are then cleared. Takes over `gradients`; the
   * results are the caller's.
   */
  combine(gradients: readonly tf.Tensor[], share: number): readonly tf.Tensor[];
  clear(): void;
}

export function createPendingGradients(): PendingGradients {
  let sums: readonly tf.Tensor[] = [];
  let count = 0;

  const scaled = (gradients: readonly tf.Tensor[], factor: number): readonly tf.Tensor[] => {
    if (factor === 1) return gradients;
    const products = gradients.map((gradient) => tf.tidy(() => gradient.mul(factor)));
    tf.dispose([...gradients]);
    return products;
  };
  /** Takes over both. */
  const added = (left: readonly tf.Tensor[], right: readonly tf.Tensor[]): readonly tf.Tensor[] => {
    const results = left.map((tensor, index) => tf.tidy(() => tensor.add(right[index] as tf.Tensor)));
    tf.dispose([...left, ...right]);
    return results;
  };

  return {
    get count() {
      return count;
    },
    add(gradients, share) {
      const own = scaled(gradients, share);
      sums = count === 0 ? own : added(sums, own);
      count += 1;
    },
    combine(gradients, share) {
      const own = scaled(gradients, share);
      if (count === 0) return own;
      const pending = scaled(sums, 1 / count);
      sums = [];
      count = 0;
      return added(own, pending);
    },
    clear() {
      tf.dispose([...sums]);
      sums = [];
      count = 0;
    },
  };
}
