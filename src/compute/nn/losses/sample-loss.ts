/** A loss per sample, summed over the batch, with its gradient: the result of every loss. */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../../errors/index.ts";

export interface SampleLoss {
  /** d(summed loss)/d(output), per sample, of the output's shape; the caller's. */
  readonly gradient: tf.Tensor;
  /** Sum over the batch. */
  readonly lossSum: number;
}

/**
 * @param loss from the output to the samples' losses, [batch].
 * @throws KnowledgeNetError KN_NUMERIC when their sum is not finite.
 */
export function differentiate(output: tf.Tensor, loss: (output: tf.Tensor) => tf.Tensor): SampleLoss {
  const { value, grad } = tf.valueAndGrad((own: tf.Tensor) => loss(own).sum())(output);
  const lossSum = value.dataSync()[0] ?? 0;
  value.dispose();
  try {
    assertFiniteLoss(lossSum);
  } catch (error) {
    grad.dispose();
    throw error;
  }
  return { gradient: grad, lossSum };
}

/** @throws KnowledgeNetError KN_NUMERIC: no weight may follow the gradient of such a loss. */
export function assertFiniteLoss(lossSum: number): void {
  if (Number.isFinite(lossSum)) return;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: "compute the loss",
    rule: "every output must be finite",
    value: `a loss of ${lossSum}`,
    remedy: "the actor restarts from its last checkpoint; lower the learning rate if it happens again",
  });
}
