/**
 * tfjs's batch-normalization layer, with its training step in one operation where the backend has one. Same weights,
 * same statistics (moving ones from the batch's variance without Bessel's correction), same result.
 */
import * as tf from "@tensorflow/tfjs";
import { BATCH_NORM_TRAINING } from "../backend/native-kernels.ts";

/** Fields of the layer that tfjs does not export. */
interface BatchNormalization extends tf.layers.Layer {
  readonly epsilon: number;
  readonly momentum: number;
  readonly gamma: tf.LayerVariable;
  readonly beta: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

export function batchNormLayer(options: Parameters<typeof tf.layers.batchNormalization>[0]): tf.layers.Layer {
  const layer = tf.layers.batchNormalization(options) as unknown as BatchNormalization;
  const composed = layer.call.bind(layer);
  layer.call = (inputs, kwargs) => {
    const input = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
    const isFused =
      kwargs.training === true && tf.getKernel(BATCH_NORM_TRAINING, tf.getBackend()) !== undefined && input.size > 0;
    return isFused ? trainFused(layer, input) : composed(inputs, kwargs);
  };
  return layer;
}

function trainFused(layer: BatchNormalization, input: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const channels = input.shape.at(-1) ?? 1;
    // [batch, ..., channels] -> [rows, 1, 1, channels]: which axis a sample lies on makes no difference
    const x = input.reshape([-1, 1, 1, channels]);
    const inputs = { x, gamma: layer.gamma.read(), beta: layer.beta.read() };
    const [y, mean, variance] = tf
      .engine()
      .runKernel<tf.Tensor[]>(BATCH_NORM_TRAINING, inputs, { epsilon: layer.epsilon });
    const move = (moving: tf.LayerVariable, now: tf.Tensor): void => {
      const before = moving.read();
      moving.write(before.sub(before.sub(now).mul(1 - layer.momentum)));
    };
    move(layer.movingMean, mean as tf.Tensor);
    move(layer.movingVariance, variance as tf.Tensor);
    return (y as tf.Tensor).reshape(input.shape);
  });
}
