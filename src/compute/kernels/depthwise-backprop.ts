/**
 * Gradients of a depthwise convolution, both of which the wasm backend lacks. Each channel has its own small filter, so
 * there is no matrix product to hand to XNNPACK; the gradient by the input is a depthwise convolution again when the
 * stride is 1 and each channel has one filter, the rest is loops.
 */
import { type Convolution, type ConvolutionAttrs, convolutionOf, reversedPadding } from "./convolution.ts";
import { floatsOf, ownKernel, type TensorInfo, withScratch } from "./kernel.ts";

interface FilterInputs {
  /** [batch, height, width, in] */
  readonly x: TensorInfo;
  /** [batch, out height, out width, in * multiplier] */
  readonly dy: TensorInfo;
}

interface FilterAttrs extends ConvolutionAttrs {
  /** [filter height, filter width, in, multiplier] */
  readonly filterShape: number[];
}

interface InputInputs {
  readonly dy: TensorInfo;
  readonly filter: TensorInfo;
}

interface InputAttrs extends ConvolutionAttrs {
  readonly inputShape: number[];
}

export const depthwiseBackpropFilter = ownKernel<FilterInputs, FilterAttrs>(
  "DepthwiseConv2dNativeBackpropFilter",
  (builtIn) => (call) => {
    const { inputs, attrs, backend } = call;
    const { x, dy } = inputs;
    if (x.dtype !== "float32" || dy.dtype !== "float32") return builtIn(call);
    const convolution = convolutionOf(x.shape, attrs.filterShape, attrs, true);
    const output = backend.makeOutput(attrs.filterShape, "float32");
    const images = floatsOf(backend, x);
    const gradients = floatsOf(backend, dy);
    const gradient = floatsOf(backend, output);
    const sums = new Float64Array(gradient.length);
    const { inChannels, outChannels } = convolution;
    forTaps(convolution, (tap, pixel, position) => {
      if (inChannels === outChannels) {
        for (let channel = 0; channel < inChannels; channel += 1) {
          sums[tap + channel] =
            (sums[tap + channel] as number) +
            (images[pixel + channel] as number) * (gradients[position + channel] as number);
        }
        return;
      }
      const multiplier = outChannels / inChannels;
      for (let channel = 0, m = 0; channel < inChannels; channel += 1) {
        const value = images[pixel + channel] as number;
        for (const end = m + multiplier; m < end; m += 1) {
          sums[tap + m] = (sums[tap + m] as number) + value * (gradients[position + m] as number);
        }
      }
    });
    gradient.set(sums);
    return output;
  },
);

export const depthwiseBackpropInput = ownKernel<InputInputs, InputAttrs>(
  "DepthwiseConv2dNativeBackpropInput",
  (builtIn) => (call) => {
    const { inputs, attrs, backend } = call;
    const { dy, filter } = inputs;
    if (filter.dtype !== "float32" || dy.dtype !== "float32") return builtIn(call);
    const convolution = convolutionOf(attrs.inputShape, filter.shape, attrs, true);
    const { height, width, inChannels, outChannels } = convolution;
    const paddings = [reversedPadding(height), reversedPadding(width)];
    const isConvolution =
      height.stride === 1 &&
      width.stride === 1 &&
      inChannels === outChannels &&
      paddings.flat().every((padding) => padding >= 0);
    if (isConvolution) {
      return withScratch(backend, ({ run }) => {
        const turned = run("Reverse", { x: filter }, { dims: [0, 1] });
        const dilations = [height.dilation, width.dilation];
        const pad = [[0, 0], ...paddings, [0, 0]];
        return run(
          "DepthwiseConv2dNative",
          { x: dy, filter: turned },
          { strides: [1, 1], dilations, pad, dataFormat: "NHWC" },
        );
      });
    }
    const output = backend.makeOutput(attrs.inputShape, "float32");
    const gradients = floatsOf(backend, dy);
    const taps = floatsOf(backend, filter);
    const dx = floatsOf(backend, output).fill(0);
    const multiplier = outChannels / inChannels;
    forTaps(convolution, (tap, pixel, position) => {
      for (let channel = 0, m = 0; channel < inChannels; channel += 1) {
        let sum = dx[pixel + channel] as number;
        for (const end = m + multiplier; m < end; m += 1) {
          sum += (taps[tap + m] as number) * (gradients[position + m] as number);
        }
        dx[pixel + channel] = sum;
      }
    });
    return output;
  },
);

/** Calls `body` with the offsets of each tap, the pixel that it reads and the position that it contributes to. */
function forTaps(
  { batch, inChannels, outChannels, height, width }: Convolution,
  body: (tap: number, pixel: number, position: number) => void,
): void {
  let position = 0;
  for (let sample = 0; sample < batch; sample += 1) {
    for (let y = 0; y < height.output; y += 1) {
      for (let x = 0; x < width.output; x += 1, position += outChannels) {
        for (let row = 0; row < height.taps; row += 1) {
          const line = y * height.stride + row * height.dilation - height.before;
          if (line < 0 || line >= height.input) continue;
          for (let column = 0; column < width.taps; column += 1) {
            const place = x * width.stride + column * width.dilation - width.before;
            if (place < 0 || place >= width.input) continue;
            const pixel = ((sample * height.input + line) * width.input + place) * inChannels;
            body((row * width.taps + column) * outChannels, pixel, position);
          }
        }
      }
    }
  }
}
