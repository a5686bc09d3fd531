/** The task loss at the last block: softmax cross-entropy, its gradient in closed form, and the count of right answers. */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";

export interface ClassificationLoss {
  /** d(summed loss)/d(logits) = softmax(logits) - onehot(label), [batch, classes], per sample; the caller's. */
  readonly gradient: tf.Tensor;
  /** Sum over the batch, nats. */
  readonly lossSum: number;
  /** Samples whose highest logit is the label's. */
  readonly correct: number;
}

/**
 * logits [batch, classes] f32, labels [batch] i32; both borrowed.
 * @throws KnowledgeNetError KN_NUMERIC when the loss is not finite: no weight may follow its gradient.
 */
export function softmaxCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): ClassificationLoss {
  const [gradient, figures] = tf.tidy((): [tf.Tensor, tf.Tensor] => {
    const logProbabilities = tf.logSoftmax(logits as tf.Tensor2D);
    const target = tf.oneHot(labels, logits.shape[1] ?? 1).toFloat();
    const lossSum = logProbabilities.mul(target).sum().neg();
    const correct = logits.argMax(1).equal(labels).sum().toFloat();
    return [logProbabilities.exp().sub(target), tf.stack([lossSum, correct])];
  });
  const [lossSum = 0, correct = 0] = figures.dataSync();
  figures.dispose();
  if (!Number.isFinite(lossSum)) {
    gradient.dispose();
    throw new KnowledgeNetError("KN_NUMERIC", {
      attempt: "compute the loss",
      rule: "every logit must be finite",
      value: `a loss of ${lossSum}`,
      remedy: "the actor restarts from its last checkpoint; a lower learning rate helps when it comes again",
    });
  }
  return { gradient, lossSum, correct };
}
