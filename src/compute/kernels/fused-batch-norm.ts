/**
 * Normalization with given statistics, `(x - mean) * scale / sqrt(variance + epsilon) + offset`, in two passes of
 * XNNPACK: 0.9 ms instead of 6 for [128, 24, 24, 20]. Not in one, `x * k + (offset - mean * k)`: it loses the digits
 * that x and its mean share.
 */
import { addChannels } from "./channel-arithmetic.ts";
import { floatsOf, ownKernel, sizeOf, type TensorInfo, viewed, withScratch } from "./kernel.ts";

interface Inputs {
  readonly x: TensorInfo;
  readonly mean: TensorInfo;
  readonly variance: TensorInfo;
  readonly offset?: TensorInfo | null;
  readonly scale?: TensorInfo | null;
}

interface Attrs {
  readonly varianceEpsilon: number;
}

export const fusedBatchNorm = ownKernel<Inputs, Attrs>("FusedBatchNorm", (builtIn) => (call) => {
  const { inputs, attrs, backend } = call;
  const { x, mean, variance, offset, scale } = inputs;
  const channels = x.shape.at(-1) ?? 1;
  const vectors = [mean, variance, offset, scale].filter((given) => given !== undefined && given !== null);
  const isPerChannel = vectors.every(({ shape, dtype }) => sizeOf(shape) === channels && dtype === "float32");
  if (!isPerChannel || x.dtype !== "float32" || sizeOf(x.shape) === 0) return builtIn(call);

  return withScratch(backend, (scratch) => {
    const centred = addChannels(backend, scratch, x, mean, -1);
    const filter = scratch.allocate([1, 1, channels, 1]);
    const bias = scratch.allocate([channels]);
    const factors = floatsOf(backend, filter);
    factors.set(floatsOf(backend, variance));
    const scales = scale === undefined || scale === null ? undefined : floatsOf(backend, scale);
    for (let c = 0; c < channels; c += 1) {
      factors[c] = (scales?.[c] ?? 1) / Math.sqrt((factors[c] ?? 0) + attrs.varianceEpsilon);
    }
    const offsets = floatsOf(backend, bias);
    if (offset === undefined || offset === null) offsets.fill(0);
    else offsets.set(floatsOf(backend, offset));
    const result = scratch.run(
      "FusedDepthwiseConv2D",
      { x: viewed(centred, [sizeOf(x.shape) / channels, 1, 1, channels]), filter, bias },
      { strides: [1, 1], dilations: [1, 1], pad: "valid", dataFormat: "NHWC", activation: "linear" },
    );
    result.shape = x.shape;
    return result;
  });
});
