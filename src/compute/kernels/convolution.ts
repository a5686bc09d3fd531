/** The geometry that a convolution and both its gradients share. */
import * as tf from "@tensorflow/tfjs";
import { floatsOf, type Scratch, sizeOf, type TensorInfo, type WasmBackend } from "./kernel.ts";

type Pair = readonly [number, number];
type Padding = "valid" | "same" | number | readonly (readonly [number, number])[];

/** As `tf.conv2d` passes them on; dilations only where its gradient does. */
export interface ConvolutionAttrs {
  readonly strides: Pair | number;
  readonly pad: Padding;
  readonly dilations?: Pair | number | null;
  readonly dataFormat?: "NHWC" | "NCHW";
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** Along one axis of the image: output o reads input `o * stride + tap * dilation - before` for each tap. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding in front. */
  readonly before: number;
}

export interface Convolution {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: Axis;
  readonly width: Axis;
  /** Filter of 1 x 1, stride 1, no padding: a matrix product. */
  readonly isPointwise: boolean;
}

export function convolutionOf(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attrs: ConvolutionAttrs,
  isDepthwise = false,
): Convolution {
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides as [number, number],
    (attrs.dilations ?? 1) as [number, number],
    attrs.pad as "valid",
    attrs.dimRoundingMode,
    isDepthwise,
  );
  const height: Axis = {
    input: info.inHeight,
    output: info.outHeight,
    taps: info.filterHeight,
    stride: info.strideHeight,
    dilation: info.dilationHeight,
    before: info.padInfo.top,
  };
  const width: Axis = {
    input: info.inWidth,
    output: info.outWidth,
    taps: info.filterWidth,
    stride: info.strideWidth,
    dilation: info.dilationWidth,
    before: info.padInfo.left,
  };
  return {
    batch: info.batchSize,
    inChannels: info.inChannels,
    outChannels: info.outChannels,
    height,
    width,
    isPointwise: [height, width].every((axis) => axis.taps === 1 && axis.stride === 1 && axis.input === axis.output),
  };
}

/** Outputs whose tap lies inside the image: from `first` to before `end`. */
export function reach({ input, output, stride, dilation, before }: Axis, tap: number): { first: number; end: number } {
  const offset = tap * dilation - before;
  const first = Math.min(output, Math.max(0, Math.ceil(-offset / stride)));
  const end = Math.max(first, Math.min(output, Math.floor((input - 1 - offset) / stride) + 1));
  return { first, end };
}

/** Padding in front and behind with which the reversed filter, run over the output, gives back the input's size. */
export function reversedPadding({ input, output, taps, dilation, before }: Axis): [number, number] {
  const front = dilation * (taps - 1) - before;
  return [front, input - output - front + dilation * (taps - 1)];
}

/** Patches of at most this many floats (16 MB) are held at a time. */
const MAX_PATCH_FLOATS = 1 << 22;

/** Results of `body` for runs of samples whose patches fit; at least one. */
export function forBatches<Result>(convolution: Convolution, body: (from: number, to: number) => Result): Result[] {
  const { batch, inChannels, height, width } = convolution;
  const perSample = height.output * width.output * height.taps * width.taps * inChannels;
  const step = Math.max(1, Math.floor(MAX_PATCH_FLOATS / perSample));
  const results: Result[] = [];
  for (let from = 0; from < batch; from += step) results.push(body(from, Math.min(batch, from + step)));
  return results;
}

/**
 * Samples [from, to) of a float32 tensor; the tensor itself when that is all. Not by Slice, which copies the whole
 * tensor first.
 */
export function samples(
  backend: WasmBackend,
  { allocate }: Scratch,
  x: TensorInfo,
  from: number,
  to: number,
): TensorInfo {
  const [batch = 0, ...rest] = x.shape;
  if (from === 0 && to === batch) return x;
  const part = allocate([to - from, ...rest]);
  const perSample = sizeOf(rest);
  floatsOf(backend, part).set(floatsOf(backend, x).subarray(from * perSample, to * perSample));
  return part;
}
