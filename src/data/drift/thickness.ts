/** Grey-scale morphology: thicker or thinner bright strokes. */
import type { Picture } from "../picture/picture.ts";

/**
 * The greatest (dilation) or least (erosion) value of a disk about each pixel; pixels outside do not count. Between whole
 * radii, a blend of the two.
 * @param pixels radius of the disk: positive is thicker, negative thinner, 0 nothing.
 */
export function thickness(picture: Picture, pixels: number): Picture {
  const whole = Math.trunc(pixels);
  const share = Math.abs(pixels - whole);
  const low = extremesOf(picture, whole);
  if (share === 0) return low;
  const high = extremesOf(picture, whole + Math.sign(pixels));
  return {
    ...picture,
    values: low.values.map((value, at) => (1 - share) * value + share * (high.values[at] as number)),
  };
}

function extremesOf(picture: Picture, radius: number): Picture {
  if (radius === 0) return picture;
  const { height, width, channels, values } = picture;
  const reach = Math.abs(radius);
  const pick = radius > 0 ? Math.max : Math.min;
  const result = values.slice();
  for (let y = 0; y < height; y += 1) {
    for (let down = Math.max(-reach, -y); down <= Math.min(reach, height - 1 - y); down += 1) {
      const half = Math.floor(Math.sqrt(reach * reach - down * down));
      for (let x = 0; x < width; x += 1) {
        for (let right = Math.max(-half, -x); right <= Math.min(half, width - 1 - x); right += 1) {
          for (let channel = 0; channel < channels; channel += 1) {
            const target = (y * width + x) * channels + channel;
            const source = target + (down * width + right) * channels;
            result[target] = pick(result[target] as number, values[source] as number);
          }
        }
      }
    }
  }
  return { ...picture, values: result };
}
