/** The loss of a student's section against the hint of its teacher's section, and its gradient by the output. */
import * as tf from "@tensorflow/tfjs";
import type { HintSpec } from "../../../run-spec/index.ts";
import { differentiate, type SampleLoss } from "./sample-loss.ts";

/** Added to squared norms: so an output of zeros has a gradient too. */
const LEAST_NORM = 1e-12;

/**
 * `output` and `hint` [batch, ...boundary] f32; both borrowed.
 *
 * - `feature-mse`, `relative`: |s - t|^2 over the batch's mean of |t|^2, so that an output of zero has the loss 1.
 * - `feature-mse`, `l2`: |s / |s| - t / |t||^2 (Romero et al. 2015, on normalised features).
 * - `attention-transfer`: |q(s) - q(t)|^2 with q the channels' sum of squares, as a vector of length 1 over the
 * positions
 *   (Zagoruyko and Komodakis 2017, section 3.1); needs height and width, and lets channels differ.
 * @throws KnowledgeNetError KN_NUMERIC when the loss is not finite.
 */
export function hintLoss(output: tf.Tensor, hint: tf.Tensor, spec: HintSpec): SampleLoss {
  if (spec.kind === "attention-transfer") {
    return differentiate(output, (own) => squaredDistance(attentionOf(own), attentionOf(hint)));
  }
  if (spec.normalisation === "l2") {
    return differentiate(output, (own) => squaredDistance(toLengthOne(flat(own)), toLengthOne(flat(hint))));
  }
  return differentiate(output, (own) => {
    const meanSquare = flat(hint).square().sum(1).mean().add(LEAST_NORM); // scalar
    return squaredDistance(flat(own), flat(hint)).div(meanSquare);
  });
}

/** [batch, ...] -> [batch, features] */
function flat(tensor: tf.Tensor): tf.Tensor2D {
  return tensor.reshape([tensor.shape[0] ?? 1, -1]);
}

/** Each row divided by its 2-norm. */
function toLengthOne(rows: tf.Tensor2D): tf.Tensor2D {
  return rows.div(rows.square().sum(1, true).add(LEAST_NORM).sqrt());
}

/** [batch, height, width, channels] -> [batch, height * width] */
function attentionOf(features: tf.Tensor): tf.Tensor2D {
  return toLengthOne(flat(features.square().sum(-1)));
}

/** [batch] */
function squaredDistance(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor1D {
  return a.sub(b).square().sum(1);
}
