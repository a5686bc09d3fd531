/** The geometry of a pooling layer. */
import * as tf from "@tensorflow/tfjs";
import type { Axis } from "./convolution.ts";

export interface PoolingAttrs {
  readonly filterSize: number | readonly [number, number];
  readonly strides: number | readonly [number, number];
  readonly pad: "valid" | "same" | number | readonly (readonly [number, number])[];
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

export interface Pooling {
  readonly batch: number;
  readonly channels: number;
  readonly height: Axis;
  readonly width: Axis;
}

export function poolingOf(inputShape: readonly number[], attrs: PoolingAttrs): Pooling {
  const info = tf.backend_util.computePool2DInfo(
    inputShape as [number, number, number, number],
    attrs.filterSize as [number, number],
    attrs.strides as [number, number],
    1,
    attrs.pad as "valid",
    attrs.dimRoundingMode,
  );
  const dilation = 1;
  return {
    batch: info.batchSize,
    channels: info.inChannels,
    height: {
      input: info.inHeight,
      output: info.outHeight,
      taps: info.filterHeight,
      stride: info.strideHeight,
      dilation,
      before: info.padInfo.top,
    },
    width: {
      input: info.inWidth,
      output: info.outWidth,
      taps: info.filterWidth,
      stride: info.strideWidth,
      dilation,
      before: info.padInfo.left,
    },
  };
}
