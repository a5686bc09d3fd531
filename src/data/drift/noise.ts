/** Noise of CIFAR-10-C: of each value by itself, drawn from the stream of the image. */
import type { RandomDraws } from "../random-draws.ts";
import { clip, mapValues, type Picture } from "../picture/picture.ts";

/** x + sigma n. */
export function gaussianNoise(picture: Picture, sigma: number, draws: RandomDraws): Picture {
  return mapValues(picture, (value) => clip(value + sigma * draws.normal()));
}

/** Poisson(x c) / c with c = 1 / `inverse`: photons counted. 0: none. */
export function shotNoise(picture: Picture, inverse: number, draws: RandomDraws): Picture {
  if (inverse === 0) return picture;
  return mapValues(picture, (value) => clip(draws.poisson(value / inverse) * inverse));
}

/** The share `amount` of all values becomes 0 or 1, with one half probability each. */
export function saltAndPepper(picture: Picture, amount: number, draws: RandomDraws): Picture {
  return mapValues(picture, (value) => {
    const isFlipped = draws.uniform() < amount;
    const flipped = draws.uniform() < 0.5 ? 1 : 0;
    return isFlipped ? flipped : value;
  });
}

/** x + x sigma n. */
export function speckleNoise(picture: Picture, sigma: number, draws: RandomDraws): Picture {
  return mapValues(picture, (value) => clip(value + value * sigma * draws.normal()));
}
