/**
 * Layers of a model by their Keras / tfjs class name and configuration: the same words in a spec, a `model.json` and
 * this code. Initial weights are derived from the run's seed and the layer's name, so the cuts do not change them.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { LayerSpec, LayerType } from "../../run-spec/index.ts";
import { batchNormLayer } from "./batch-norm.ts";
import { kernelInitializer } from "./kernel-initializer.ts";
import { deriveSeed } from "./seed.ts";
import { SeededDropout } from "./seeded-dropout.ts";

const FACTORIES = {
  rescaling: (options) => tf.layers.rescaling(options as never),
  conv2d: (options) => tf.layers.conv2d(options as never),
  depthwise_conv2d: (options) => tf.layers.depthwiseConv2d(options as never),
  dense: (options) => tf.layers.dense(options as never),
  batch_normalization: (options) => batchNormLayer(options),
  re_lu: (options) => tf.layers.reLU(options),
  max_pooling2d: (options) => tf.layers.maxPooling2d(options),
  average_pooling2d: (options) => tf.layers.averagePooling2d(options),
  global_average_pooling2d: (options) => tf.layers.globalAveragePooling2d(options),
  flatten: (options) => tf.layers.flatten(options),
  dropout: (options) => new SeededDropout(options as never),
} as const satisfies Record<LayerType, (options: Readonly<Record<string, unknown>>) => tf.layers.Layer>;

/**
 * The seeded options of each type that draws at random; every other weight starts as a constant. A depthwise kernel
 * keeps the distribution of tfjs (Glorot normal): `kernelInitializer` would count all input channels into the fan in.
 */
const SEEDED_OPTIONS: Partial<Record<LayerType, (seed: number) => Readonly<Record<string, unknown>>>> = {
  conv2d: (seed) => ({ kernelInitializer: kernelInitializer(seed) }),
  depthwise_conv2d: (seed) => ({ depthwiseInitializer: tf.initializers.glorotNormal({ seed }) }),
  dense: (seed) => ({ kernelInitializer: kernelInitializer(seed) }),
  dropout: (seed) => ({ seed }),
};

/**
 * Builds a layer; its random draws are functions of `seed` and the layer's name. Options of `spec` take precedence.
 * @throws KnowledgeNetError KN_CONFIG when tfjs refuses the options.
 */
export function createLayer(spec: LayerSpec, seed: number): tf.layers.Layer {
  const { type, ...given } = spec;
  const options = { ...SEEDED_OPTIONS[type]?.(deriveSeed(seed, spec.name)), ...given };
  try {
    return FACTORIES[type](options);
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `build layer ${spec.name}`,
      rule: `its options must suit ${type}`,
      value: JSON.stringify(given),
      remedy: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}
