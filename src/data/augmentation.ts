/**
 * Augmentation: a sample as one of a bounded number of views, each a pure function of (seed, sample, view). Equal
 * triples give equal pixels on every machine, so a teacher's activations of a view can be cached.
 *
 * View 0 is the sample as it is; evaluation uses it. Views 1 and above are shifted (the rim that comes in is zero) and
 * flipped left to right (He et al. 2016, section 4.2), and turned about the centre before that, bilinear.
 */
import type { TensorView } from "../messages/index.ts";
import type { Picture } from "./picture/picture.ts";
import { rotation } from "./picture/rotation.ts";
import { splitmix32 } from "./splitmix.ts";

export interface AugmentationOptions {
  /** Left to right, with one half probability. */
  readonly flip: boolean;
  /** Largest shift along each axis, pixels. */
  readonly shift: number;
  /** Between which a view is turned, degrees, counter-clockwise where positive. @default not at all */
  readonly rotate?: readonly [number, number];
  /** Views of a sample; 0: only the sample as it is. */
  readonly views: number;
}

/** The view that an epoch (counted from 0) shows: each in its turn, so a cache that holds one holds it for all samples. */
export function viewOf(epoch: number, { views }: AugmentationOptions): number {
  return views === 0 ? 0 : 1 + (epoch % views);
}

/**
 * @param samples [batch, height, width, channels] u8, borrowed.
 * @param ids of the samples.
 * @returns the same shape, the caller's own; `samples` itself for view 0.
 * @throws RangeError when the samples are no images of u8.
 */
export function augment(
  samples: TensorView,
  ids: ArrayLike<number>,
  view: number,
  seed: number,
  { flip, shift, rotate: [from, to] = [0, 0] }: AugmentationOptions,
): TensorView {
  if (view === 0) return samples;
  const [batch = 0, height = 0, width = 0, channels = 0] = samples.shape;
  if (samples.dtype !== "u8" || samples.shape.length !== 4 || ids.length !== batch) {
    throw new RangeError(`Cannot augment ${samples.dtype} [${samples.shape.join(", ")}] with ${ids.length} ids`);
  }
  const values = new Uint8Array(samples.values.length);
  const rowBytes = width * channels;
  for (let row = 0; row < batch; row += 1) {
    const draw = drawsOf(seed, ids[row] as number, view);
    const isFlipped = flip && draw() % 2 === 1;
    const down = (draw() % (2 * shift + 1)) - shift;
    const right = (draw() % (2 * shift + 1)) - shift;
    const start = row * height * rowBytes;
    const picture = { height, width, channels, values: samples.values.subarray(start, start + height * rowBytes) };
    const isTurned = from !== 0 || to !== 0;
    const turned = isTurned ? turnedBytes(picture, from + (to - from) * (draw() / 2 ** 32)) : picture.values;
    for (let y = Math.max(0, down); y < Math.min(height, height + down); y += 1) {
      for (let x = Math.max(0, right); x < Math.min(width, width + right); x += 1) {
        const source = (y - down) * rowBytes + (x - right) * channels;
        const target = start + y * rowBytes + (isFlipped ? width - 1 - x : x) * channels;
        for (let channel = 0; channel < channels; channel += 1) {
          values[target + channel] = turned[source + channel] as number;
        }
      }
    }
  }
  return { dtype: "u8", shape: samples.shape, values };
}

function turnedBytes(
  picture: Omit<Picture, "values"> & { readonly values: ArrayLike<number> },
  degrees: number,
): ArrayLike<number> {
  const turned = rotation({ ...picture, values: Float64Array.from(picture.values) }, degrees);
  return Uint8Array.from(turned.values, Math.round);
}

/** A stream of its own for each (seed, sample, view). */
function drawsOf(seed: number, id: number, view: number): () => number {
  return splitmix32(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(id + 1, 0x85ebca77) ^ Math.imul(view, 0xc2b2ae3d));
}
