/**
 * Gradient of average pooling: each output's gradient, divided by the size of the filter, goes to every place of its
 * window. As in all backends of tfjs, the divisor is the whole filter's size at a padded edge too, although the forward
 * pass counts only the pixels there.
 */
import { floatsOf, ownKernel, type TensorInfo } from "./kernel.ts";
import { type PoolingAttrs, poolingOf } from "./pooling.ts";

interface Inputs {
  /** [batch, out height, out width, channels] */
  readonly dy: TensorInfo;
  /** [batch, height, width, channels] */
  readonly input: TensorInfo;
}

type Indexed = { [index: number]: number };

export const avgPoolGrad = ownKernel<Inputs, PoolingAttrs>("AvgPoolGrad", (builtIn) => (call) => {
  const { inputs, attrs, backend } = call;
  const { dy, input } = inputs;
  if (dy.dtype !== "float32" || input.dtype !== "float32") return builtIn(call);
  const { batch, channels, height, width } = poolingOf(input.shape, attrs);
  const gradient = backend.makeOutput(input.shape, "float32");
  const dx = floatsOf(backend, gradient).fill(0) as Indexed;
  const gradients = floatsOf(backend, dy) as Indexed;

  const share = 1 / (height.taps * width.taps);
  let position = 0;
  for (let sample = 0; sample < batch; sample += 1) {
    for (let y = 0; y < height.output; y += 1) {
      const top = Math.max(0, y * height.stride - height.before);
      const bottom = Math.min(height.input, y * height.stride - height.before + height.taps);
      for (let x = 0; x < width.output; x += 1, position += channels) {
        const left = Math.max(0, x * width.stride - width.before);
        const right = Math.min(width.input, x * width.stride - width.before + width.taps);
        for (let row = top; row < bottom; row += 1) {
          for (let column = left; column < right; column += 1) {
            const pixel = ((sample * height.input + row) * width.input + column) * channels;
            for (let channel = 0; channel < channels; channel += 1) {
              dx[pixel + channel] = (dx[pixel + channel] as number) + share * (gradients[position + channel] as number);
            }
          }
        }
      }
    }
  }
  return gradient;
});
