/**
 * Gradient of a convolution by its filter, which the wasm backend lacks (tensorflow/tfjs issue 8474): for each tap and
 * pair of channels the product of the output's gradient with the input under the tap, summed over samples and
 * positions.
 *
 * The inputs are laid out by tap, [tap * channel, sample * position], and multiplied with the gradient as it stands,
 * [sample * position, out channel]. Any stride, dilation and padding. As a convolution of the exchanged tensors it
 * takes as long or twice as long: XNNPACK packs the filter, here the whole gradient, pixel by pixel.
 */
import { type Convolution, type ConvolutionAttrs, convolutionOf, forBatches, reach, samples } from "./convolution.ts";
import { floatsOf, ownKernel, type TensorInfo, viewed, withScratch } from "./kernel.ts";

interface Inputs {
  /** [batch, height, width, in] */
  readonly x: TensorInfo;
  /** [batch, out height, out width, out] */
  readonly dy: TensorInfo;
}

interface Attrs extends ConvolutionAttrs {
  /** [filter height, filter width, in, out] */
  readonly filterShape: number[];
}

export const conv2dBackpropFilter = ownKernel<Inputs, Attrs>("Conv2DBackpropFilter", (builtIn) => (call) => {
  const { inputs, attrs, backend } = call;
  const { x, dy } = inputs;
  if (attrs.dataFormat === "NCHW" || x.dtype !== "float32" || dy.dtype !== "float32") return builtIn(call);
  const convolution = convolutionOf(x.shape, attrs.filterShape, attrs);
  const { batch, inChannels, outChannels, height, width } = convolution;
  const positions = height.output * width.output;

  const gradient = withScratch(backend, (scratch) => {
    if (convolution.isPointwise) {
      const operands = {
        a: viewed(x, [batch * positions, inChannels]),
        b: viewed(dy, [batch * positions, outChannels]),
      };
      return scratch.run("BatchMatMul", operands, { transposeA: true, transposeB: false });
    }
    const parts = forBatches(convolution, (from, to) =>
      scratch.adopt(
        withScratch(backend, (inner) => {
          const pixels = (to - from) * height.input * width.input;
          const images = viewed(samples(backend, inner, x, from, to), [pixels, inChannels]);
          const byChannel = inner.run("Transpose", { x: images }, { perm: [1, 0] });
          const byTap = inner.allocate([height.taps * width.taps * inChannels, (to - from) * positions]);
          layOutByTap(floatsOf(backend, byChannel), floatsOf(backend, byTap), convolution, to - from);
          const b = viewed(samples(backend, inner, dy, from, to), [(to - from) * positions, outChannels]);
          return inner.run("BatchMatMul", { a: byTap, b }, { transposeA: false, transposeB: false });
        }),
      ),
    );
    return parts.reduce((total, part) => scratch.run("Add", { a: total, b: part }));
  });
  gradient.shape = attrs.filterShape;
  return gradient;
});

/** [in, batch, height, width] -> [filter height, filter width, in, batch, out height, out width] */
function layOutByTap(
  from: Float32Array,
  to: Float32Array,
  { inChannels, height, width }: Convolution,
  batch: number,
): void {
  const planes = inChannels * batch;
  const planeSize = height.output * width.output;
  const lineSize = width.input;
  const stride = width.stride;
  let at = 0;
  for (let row = 0; row < height.taps; row += 1) {
    const { first: top, end: bottom } = reach(height, row);
    for (let column = 0; column < width.taps; column += 1) {
      const { first: left, end: right } = reach(width, column);
      if ((bottom - top) * (right - left) < planeSize) to.fill(0, at, at + planes * planeSize);
      const corner = (top * height.stride + row * height.dilation - height.before) * lineSize;
      const start = corner + left * stride + column * width.dilation - width.before;
      for (let plane = 0; plane < planes; plane += 1, at += planeSize) {
        let line = plane * height.input * lineSize + start;
        for (let y = top; y < bottom; y += 1, line += height.stride * lineSize) {
          const end = at + y * width.output + right;
          for (let into = at + y * width.output + left, pixel = line; into < end; into += 1, pixel += stride) {
            to[into] = from[pixel] as number;
          }
        }
      }
    }
  }
}
