/** A picture turned about its centre. Pure. */
import type { Picture } from "./picture.ts";

/**
 * About the centre, bilinear; black comes in from outside, as by scipy.ndimage.rotate(axes=(1, 0), reshape=False,
 * order=1, mode="grid-constant").
 * @param degrees counter-clockwise on a screen for positive values.
 */
export function rotation(picture: Picture, degrees: number): Picture {
  if (degrees === 0) return picture;
  const { height, width, channels, values } = picture;
  const [sine, cosine] = sineAndCosine(degrees);
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  const rotated = new Float64Array(values.length);
  const add = (target: number, y: number, x: number, weight: number): void => {
    if (weight === 0 || y < 0 || x < 0 || y >= height || x >= width) return;
    const source = (y * width + x) * channels;
    for (let channel = 0; channel < channels; channel += 1) {
      rotated[target + channel] = (rotated[target + channel] as number) + weight * (values[source + channel] as number);
    }
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const sourceY = middleY + cosine * (y - middleY) + sine * (x - middleX);
      const sourceX = middleX - sine * (y - middleY) + cosine * (x - middleX);
      const [top, left] = [Math.floor(sourceY), Math.floor(sourceX)];
      const [down, right] = [sourceY - top, sourceX - left];
      const target = (y * width + x) * channels;
      add(target, top, left, (1 - down) * (1 - right));
      add(target, top, left + 1, (1 - down) * right);
      add(target, top + 1, left, down * (1 - right));
      add(target, top + 1, left + 1, down * right);
    }
  }
  return { ...picture, values: rotated };
}

/** Exact at quarter turns, so that they move pixels without mixing them. */
function sineAndCosine(degrees: number): readonly [number, number] {
  const turns = (((degrees % 360) + 360) % 360) / 90;
  if (Number.isInteger(turns)) return [[0, 1, 0, -1][turns] as number, [1, 0, -1, 0][turns] as number];
  const radians = (degrees * Math.PI) / 180;
  return [Math.sin(radians), Math.cos(radians)];
}
