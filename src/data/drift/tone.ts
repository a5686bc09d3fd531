/** Changes of tone and colour: each pixel from its own value, and for contrast the mean of its channel. */
import { clip, mapValues, type Picture } from "../picture/picture.ts";

/** Towards the mean of each channel: (x - mean) c + mean. */
export function contrast(picture: Picture, factor: number): Picture {
  const { channels, values } = picture;
  const means = new Float64Array(channels);
  for (const [at, value] of values.entries()) means[at % channels] = (means[at % channels] as number) + value;
  const pixels = values.length / channels;
  return mapValues(picture, (value, at) => {
    const mean = (means[at % channels] as number) / pixels;
    return clip((value - mean) * factor + mean);
  });
}

/** V + `added` in HSV; a grey image is its own V. */
export function brightness(picture: Picture, added: number): Picture {
  if (picture.channels !== 3) return mapValues(picture, (value) => clip(value + added));
  return mapHsv(picture, (saturation, value) => [saturation, clip(value + added)]);
}

/** S a + b in HSV. A picture without colour has no S: it stays as it is. */
export function saturate(picture: Picture, factor: number, added: number): Picture {
  if (picture.channels !== 3) return picture;
  return mapHsv(picture, (saturation, value) => [clip(saturation * factor + added), value]);
}

/** (1 - amount) x + amount (1 - x): 1 is the negative. */
export function inversion(picture: Picture, amount: number): Picture {
  return mapValues(picture, (value) => (1 - amount) * value + amount * (1 - value));
}

/**
 * Changes saturation and value of each pixel and keeps its hue. With x = V (1 - S t) for a share t of each channel that
 * depends on the hue alone, t = (V - x) / (V - min): no hue has to be computed. Grey has hue 0: t is 0, 1, 1.
 */
function mapHsv(
  picture: Picture,
  change: (saturation: number, value: number) => readonly [saturation: number, value: number],
): Picture {
  const values = new Float64Array(picture.values.length);
  for (let at = 0; at < values.length; at += 3) {
    const pixel = picture.values.subarray(at, at + 3);
    const value = Math.max(...pixel);
    const range = value - Math.min(...pixel);
    const [newSaturation, newValue] = change(value === 0 ? 0 : range / value, value);
    for (const [channel, x] of pixel.entries()) {
      const share = range === 0 ? Math.min(channel, 1) : (value - x) / range;
      values[at + channel] = clip(newValue * (1 - newSaturation * share));
    }
  }
  return { ...picture, values };
}
