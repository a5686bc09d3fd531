/** Keras's class of each layer type, and its options: those that both sides have, and those that only training reads. */
import type { LayerType } from "../model-spec.ts";

export interface LayerClass {
  readonly className: string;
  /** Options that are read and written, in the spec's style. */
  readonly options: readonly string[];
  /** Keras's options without influence on inference. */
  readonly training: readonly string[];
  /** Keras's options that a spec has no equivalent for, and the only values of them that are read. */
  readonly fixed: Readonly<Record<string, readonly unknown[]>>;
}

const ONE = [1, "[1]", "[1,1]"];
const IMAGE = { data_format: ["channels_last"] };
const trainingOf = (...weights: readonly string[]): string[] =>
  weights.flatMap((weight) => [`${weight}_initializer`, `${weight}_regularizer`, `${weight}_constraint`]);

export const LAYER_CLASSES = {
  rescaling: { className: "Rescaling", options: ["scale", "offset"], training: [], fixed: {} },
  conv2d: {
    className: "Conv2D",
    options: ["filters", "kernelSize", "strides", "padding", "useBias"],
    training: trainingOf("kernel", "bias"),
    fixed: { ...IMAGE, dilation_rate: ONE, groups: [1] },
  },
  depthwise_conv2d: {
    className: "DepthwiseConv2D",
    options: ["depthMultiplier", "kernelSize", "strides", "padding", "useBias"],
    training: trainingOf("depthwise", "bias"),
    fixed: { ...IMAGE, dilation_rate: ONE, groups: [1] },
  },
  dense: {
    className: "Dense",
    options: ["units", "useBias"],
    training: trainingOf("kernel", "bias"),
    fixed: {},
  },
  batch_normalization: {
    className: "BatchNormalization",
    options: ["momentum", "epsilon"],
    training: [
      ...trainingOf("gamma", "beta"),
      "moving_mean_initializer",
      "moving_variance_initializer",
      "fused",
      "synchronized",
      "renorm_momentum", // read under `renorm` only
    ],
    fixed: { center: [true], scale: [true], renorm: [false] },
  },
  re_lu: { className: "ReLU", options: ["maxValue"], training: [], fixed: { negative_slope: [0], threshold: [0] } },
  max_pooling2d: {
    className: "MaxPooling2D",
    options: ["poolSize", "strides", "padding"],
    training: [],
    fixed: IMAGE,
  },
  average_pooling2d: {
    className: "AveragePooling2D",
    options: ["poolSize", "strides", "padding"],
    training: [],
    fixed: IMAGE,
  },
  global_average_pooling2d: { className: "GlobalAveragePooling2D", options: [], training: [], fixed: IMAGE },
  flatten: { className: "Flatten", options: [], training: [], fixed: IMAGE },
  dropout: { className: "Dropout", options: ["rate"], training: ["seed", "noise_shape"], fixed: {} },
} as const satisfies Record<LayerType, LayerClass>;

/** `kernelSize` as Keras writes it: `kernel_size`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
