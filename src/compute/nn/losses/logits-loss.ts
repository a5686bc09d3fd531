/** Knowledge distillation: three losses of a student's logits against its teacher's (Hinton et al. 2015). */
import * as tf from "@tensorflow/tfjs";
import type { LogitsSpec } from "../../../run-spec/index.ts";
import { differentiate, type SampleLoss } from "./sample-loss.ts";

/** Beside the spread of a row of logits: a row of equal ones has none. */
const LEAST_SPREAD = 1e-7;
/** Excludes a class from a softmax. */
const NEVER = -1e3;

/**
 * `logits` and `teacher` [batch, classes] f32, `labels` [batch] i32 (-1: unlabelled); all borrowed. The weight of the
 * spec is not applied. With T the temperature, all three are multiplied by T^2, so that T does not change their
 * gradient's size:
 *
 * - `plain`: KL(softmax(t / T) || softmax(s / T)).
 * - `standardised`: the same on logits less their mean over their standard deviation, of N - 1 (Sun et al. 2024, eq.
 * 9).
 * - `decoupled`: KL of (target, all others), plus `nonTarget` times KL among the others (Zhao et al. 2022, eq. 7); the
 *   target of an unlabelled sample is the teacher's prediction.
 * @throws KnowledgeNetError KN_NUMERIC when the loss is not finite.
 */
export function logitsLoss(logits: tf.Tensor, teacher: tf.Tensor, labels: tf.Tensor, spec: LogitsSpec): SampleLoss {
  const { kind, temperature, nonTarget } = spec;
  const scale = temperature ** 2;
  if (kind === "decoupled") {
    const target = tf.tidy(() => targetsOf(teacher, labels)); // [batch, classes], one 1 in each row
    try {
      return differentiate(logits, (own) => {
        const [softTeacher, softOwn] = [teacher.div(temperature), own.div(temperature)];
        const isTarget = divergence(pair(softTeacher, target), pair(softOwn, target));
        const others = target.mul(NEVER);
        const among = divergence(tf.logSoftmax(softTeacher.add(others)), tf.logSoftmax(softOwn.add(others)));
        return isTarget.add(among.mul(nonTarget)).mul(scale);
      });
    } finally {
      target.dispose();
    }
  }
  const prepare = kind === "standardised" ? standardise : (rows: tf.Tensor): tf.Tensor => rows;
  return differentiate(logits, (own) =>
    divergence(tf.logSoftmax(prepare(teacher).div(temperature)), tf.logSoftmax(prepare(own).div(temperature))).mul(
      scale,
    ),
  );
}

/** KL(p || q) of each row, from log p and log q [batch, n]. */
function divergence(logP: tf.Tensor, logQ: tf.Tensor): tf.Tensor {
  return logP.exp().mul(logP.sub(logQ)).sum(1);
}

/** Rows less their mean over their standard deviation. */
function standardise(rows: tf.Tensor): tf.Tensor {
  const classes = rows.shape[1] ?? 2;
  const centred = rows.sub(rows.mean(1, true));
  const spread = centred
    .square()
    .sum(1, true)
    .div(classes - 1)
    .sqrt();
  return centred.div(spread.add(LEAST_SPREAD));
}

/** Logits -> log of (probability of the target, of all others), [batch, 2]. */
function pair(logits: tf.Tensor, target: tf.Tensor): tf.Tensor {
  const logProbabilities = tf.logSoftmax(logits);
  const of = logProbabilities.mul(target).sum(1, true);
  const others = tf.logSumExp(logProbabilities.add(target.mul(NEVER)), 1, true);
  return tf.concat([of, others], 1);
}

function targetsOf(teacher: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const classes = teacher.shape[1] ?? 1;
  const target = tf.where(labels.less(0), teacher.argMax(1).toInt(), labels);
  return tf.oneHot(target as tf.Tensor1D, classes).toFloat();
}
