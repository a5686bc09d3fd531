/**
 * A large tensor plus, minus or times a vector over its last axis: biases and batch normalization, forward and back.
 * It is a depthwise convolution with a 1 x 1 filter, which takes a third of the time of the built-in broadcast when
 * there are few channels: 0.4 ms instead of 1.2 for [128, 24, 24, 20].
 */
import {
  floatsOf,
  type KernelCall,
  ownKernel,
  type Scratch,
  sizeOf,
  type TensorInfo,
  viewed,
  withScratch,
} from "./kernel.ts";

interface Inputs {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}
type Call = KernelCall<Inputs, Readonly<Record<string, unknown>>>;

/** From here on the built-in broadcast is as fast (measured equal at 256). */
const MAX_CHANNELS = 128;
/** Below, both take microseconds. */
const MIN_SIZE = 4096;

export const channelMultiply = ownKernel<Inputs, Call["attrs"]>("Multiply", (builtIn) => (call) => {
  const operands = operandsOf(call, true);
  if (operands === undefined) return builtIn(call);
  return withScratch(call.backend, (scratch) => multiplyChannels(scratch, operands.tensor, operands.vector));
});

export const channelAdd = ownKernel<Inputs, Call["attrs"]>("Add", (builtIn) => (call) => {
  const operands = operandsOf(call, true);
  if (operands === undefined) return builtIn(call);
  return withScratch(call.backend, (scratch) =>
    addChannels(call.backend, scratch, operands.tensor, operands.vector, 1),
  );
});

export const channelSub = ownKernel<Inputs, Call["attrs"]>("Sub", (builtIn) => (call) => {
  const operands = operandsOf(call, false);
  if (operands === undefined) return builtIn(call);
  return withScratch(call.backend, (scratch) =>
    addChannels(call.backend, scratch, operands.tensor, operands.vector, -1),
  );
});

/** `x * vector`, in x's shape. `vector`: float32, as many elements as x's last axis, any shape. */
export function multiplyChannels({ run }: Scratch, x: TensorInfo, vector: TensorInfo): TensorInfo {
  const channels = sizeOf(vector.shape);
  const inputs = { x: asPixels(x, channels), filter: viewed(vector, [1, 1, channels, 1]) };
  const result = run("DepthwiseConv2dNative", inputs, POINTWISE);
  result.shape = x.shape;
  return result;
}

/** `x + sign * vector`, exactly rounded: the filter is 1. */
export function addChannels(
  backend: Call["backend"],
  { run, allocate }: Scratch,
  x: TensorInfo,
  vector: TensorInfo,
  sign: 1 | -1,
): TensorInfo {
  const channels = sizeOf(vector.shape);
  const filter = allocate([1, 1, channels, 1]);
  // A copy: the kernel needs a bias that was created with one axis.
  const bias = allocate([channels]);
  floatsOf(backend, filter).fill(1);
  const given = floatsOf(backend, vector);
  floatsOf(backend, bias).set(sign === 1 ? given : given.map((value) => -value));
  const result = run(
    "FusedDepthwiseConv2D",
    { x: asPixels(x, channels), filter, bias },
    { ...POINTWISE, activation: "linear" },
  );
  result.shape = x.shape;
  return result;
}

const POINTWISE = { strides: [1, 1], dilations: [1, 1], pad: "valid", dataFormat: "NHWC" };

function asPixels(x: TensorInfo, channels: number): TensorInfo {
  return viewed(x, [sizeOf(x.shape) / channels, 1, 1, channels]);
}

/** The side that is the vector; undefined if the built-in kernel is faster. */
function operandsOf(
  { inputs: { a, b } }: Call,
  isCommutative: boolean,
): { tensor: TensorInfo; vector: TensorInfo } | undefined {
  if (isChannelVector(b, a)) return { tensor: a, vector: b };
  if (isCommutative && isChannelVector(a, b)) return { tensor: b, vector: a };
  return undefined;
}

function isChannelVector(vector: TensorInfo, tensor: TensorInfo): boolean {
  const channels = vector.shape.at(-1) ?? 1;
  return (
    vector.dtype === "float32" &&
    tensor.dtype === "float32" &&
    channels > 1 &&
    channels < MAX_CHANNELS &&
    channels === tensor.shape.at(-1) &&
    vector.shape.length <= tensor.shape.length &&
    sizeOf(vector.shape) === channels &&
    sizeOf(tensor.shape) >= MIN_SIZE
  );
}
