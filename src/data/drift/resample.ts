/**
 * Changes that mix pixels: blur, pixelate, zoom blur. Definitions of SciPy's ndimage and Pillow's box
 * filter, which CIFAR-10-C uses.
 */
import { clip, mapValues, type Picture } from "../picture/picture.ts";

/** Standard deviations at which the kernel ends. */
const TRUNCATE = 4;

/** Separable; pixels outside are those of the rim. @param sigma pixels; 0: none. */
export function gaussianBlur(picture: Picture, sigma: number): Picture {
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  if (radius === 0) return picture;
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, at) => Math.exp(-0.5 * ((at - radius) / sigma) ** 2));
  const sum = kernel.reduce((total, weight) => total + weight, 0);
  const tapsOf =
    (extent: number) =>
    (target: number): Tap[] =>
      kernel.map((weight, at) => [Math.min(extent - 1, Math.max(0, target + at - radius)), weight / sum]);
  return mapValues(separable(picture, tapsOf(picture.height), tapsOf(picture.width)), clip);
}

/** Smaller by `factor`, then back, both with a box filter. @param factor in (0, 1]; 1: none. */
export function pixelate(picture: Picture, factor: number): Picture {
  const { height, width } = picture;
  const rows = Math.max(1, Math.floor(height * factor));
  const columns = Math.max(1, Math.floor(width * factor));
  if (rows === height && columns === width) return picture;
  const small = separable(picture, boxTaps(height, rows), boxTaps(width, columns), rows, columns);
  return separable(small, boxTaps(rows, height), boxTaps(columns, width), height, width);
}

const ZOOM_STEP = 0.01;
/** The step of NumPy's arange: its last bit decides how 26 rows times 1.25 round. */
const ARANGE_STEP = 1 + ZOOM_STEP - 1;

/** Mean of the picture and its centre enlarged by 1, 1.01, ... below `limit` (NumPy's arange). @param limit 1: none. */
export function zoomBlur(picture: Picture, limit: number): Picture {
  const factors = Array.from({ length: Math.ceil((limit - 1) / ZOOM_STEP) }, (_, index) => 1 + index * ARANGE_STEP);
  const sum = picture.values.slice();
  for (const factor of factors) {
    const zoomed = separable(picture, zoomTaps(picture.height, factor), zoomTaps(picture.width, factor));
    for (const [at, value] of zoomed.values.entries()) sum[at] = (sum[at] as number) + value;
  }
  return mapValues({ ...picture, values: sum }, (value) => clip(value / (factors.length + 1)));
}

/** Index and weight of a source row or column. */
type Tap = readonly [source: number, weight: number];
type Taps = (target: number) => readonly Tap[];

/** Pillow's box filter from `extent` to `size` rows or columns. */
function boxTaps(extent: number, size: number): Taps {
  const scale = extent / size;
  const filterScale = Math.max(1, scale);
  const support = 0.5 * filterScale;
  return (target) => {
    const centre = (target + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(extent, Math.floor(centre + support + 0.5));
    const sources: number[] = [];
    for (let source = first; source < end; source += 1) {
      const distance = (source - centre + 0.5) / filterScale;
      if (distance > -0.5 && distance <= 0.5) sources.push(source);
    }
    return sources.map((source) => [source, 1 / sources.length]);
  };
}

/** CIFAR-10-C's clipped zoom: the middle, enlarged by `factor` with its corners in the corners, cut to `extent`. */
function zoomTaps(extent: number, factor: number): Taps {
  const kept = Math.ceil(extent / factor);
  const first = Math.floor((extent - kept) / 2);
  const enlarged = roundHalfToEven(kept * factor);
  const trim = Math.floor((enlarged - extent) / 2);
  const ratio = enlarged === 1 ? 1 : (kept - 1) / (enlarged - 1);
  return (target) => {
    const position = Math.min(kept - 1, (target + trim) * ratio);
    const lower = Math.floor(position);
    const share = position - lower;
    return share === 0
      ? [[first + lower, 1]]
      : [
          [first + lower, 1 - share],
          [first + lower + 1, share],
        ];
  };
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}

/** Rows, then columns, each a weighted sum of the source's. */
function separable(
  picture: Picture,
  rowTaps: Taps,
  columnTaps: Taps,
  height = picture.height,
  width = picture.width,
): Picture {
  const { channels, values } = picture;
  const rowLength = picture.width * channels;
  const rows = new Float64Array(height * rowLength); // [height, old width, channels]
  for (let y = 0; y < height; y += 1) {
    for (const [source, weight] of rowTaps(y)) {
      for (let at = 0; at < rowLength; at += 1) {
        rows[y * rowLength + at] =
          (rows[y * rowLength + at] as number) + weight * (values[source * rowLength + at] as number);
      }
    }
  }
  const result = new Float64Array(height * width * channels);
  for (let x = 0; x < width; x += 1) {
    for (const [source, weight] of columnTaps(x)) {
      for (let y = 0; y < height; y += 1) {
        for (let channel = 0; channel < channels; channel += 1) {
          const target = (y * width + x) * channels + channel;
          result[target] =
            (result[target] as number) + weight * (rows[y * rowLength + source * channels + channel] as number);
        }
      }
    }
  }
  return { height, width, channels, values: result };
}
