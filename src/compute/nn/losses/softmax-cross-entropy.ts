/**
 * The task loss at the last block: softmax cross-entropy, its gradient in closed form, and the count of correct
 * samples.
 *
 * The gradient is of the sum over the batch, and the slice divides it by the whole batch. So where only a share q of
 * the samples has a label, the labels weigh q times `crossEntropy` against the losses that every sample has: the mean
 * over the labelled samples, times q. A batch without labels contributes nothing, and the step needs no special case.
 */
import * as tf from "@tensorflow/tfjs";
import { assertFiniteLoss, type SampleLoss } from "./sample-loss.ts";

/** Its gradient is softmax(logits) - onehot(label), and zero for a sample without a label. */
export interface ClassificationLoss extends SampleLoss {
  /** Samples whose highest logit is the label's. */
  readonly correct: number;
}

/**
 * logits [batch, classes] f32, labels [batch] i32 (-1: unlabelled, contributes nothing); both borrowed.
 * @throws KnowledgeNetError KN_NUMERIC when the loss is not finite: no weight may follow its gradient.
 */
export function softmaxCrossEntropy(logits: tf.Tensor, labels: tf.Tensor): ClassificationLoss {
  const [gradient, figures] = tf.tidy((): [tf.Tensor, tf.Tensor] => {
    const logProbabilities = tf.logSoftmax(logits as tf.Tensor2D);
    const target = tf.oneHot(labels, logits.shape[1] ?? 1).toFloat();
    const lossSum = logProbabilities.mul(target).sum().neg();
    const correct = logits.argMax(1).equal(labels).sum().toFloat();
    const isLabelled = labels.greaterEqual(0).toFloat().expandDims(1); // [batch, 1]
    return [logProbabilities.exp().sub(target).mul(isLabelled), tf.stack([lossSum, correct])];
  });
  const [lossSum = 0, correct = 0] = figures.dataSync();
  figures.dispose();
  try {
    assertFiniteLoss(lossSum);
  } catch (error) {
    gradient.dispose();
    throw error;
  }
  return { gradient, lossSum, correct };
}
