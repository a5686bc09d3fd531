/** A domain applied to an image. Constants: CIFAR-10-C (Hendrycks and Dietterich 2019), those for 32 x 32. */
import type { RandomDraws } from "../random-draws.ts";
import type { Change, Corruption, Domain } from "./drift-options.ts";
import { fog } from "./fog.ts";
import { gaussianNoise, saltAndPepper, shotNoise, speckleNoise } from "./noise.ts";
import type { Picture } from "../picture/picture.ts";
import { rotation } from "../picture/rotation.ts";
import { gaussianBlur, pixelate, zoomBlur } from "./resample.ts";
import { thickness } from "./thickness.ts";
import { brightness, contrast, inversion, saturate } from "./tone.ts";

/** At severities 0 (no change) to 5. */
type Constants = readonly [number, number, number, number, number, number];

interface CorruptionRule {
  readonly first: Constants;
  readonly second?: Constants;
  apply(picture: Picture, first: number, second: number, draws: RandomDraws): Picture;
}

const RULES = {
  "gaussian-noise": {
    first: [0, 0.04, 0.06, 0.08, 0.09, 0.1],
    apply: (picture, sigma, _, draws) => gaussianNoise(picture, sigma, draws),
  },
  "shot-noise": {
    first: [0, 1 / 500, 1 / 250, 1 / 100, 1 / 75, 1 / 50], // 1/c: proportional to the variance, 0 without noise
    apply: (picture, inverse, _, draws) => shotNoise(picture, inverse, draws),
  },
  "salt-and-pepper": {
    first: [0, 0.01, 0.02, 0.03, 0.05, 0.07],
    apply: (picture, amount, _, draws) => saltAndPepper(picture, amount, draws),
  },
  "speckle-noise": {
    first: [0, 0.06, 0.1, 0.12, 0.16, 0.2],
    apply: (picture, sigma, _, draws) => speckleNoise(picture, sigma, draws),
  },
  "gaussian-blur": { first: [0, 0.4, 0.6, 0.7, 0.8, 1], apply: gaussianBlur },
  contrast: { first: [1, 0.75, 0.5, 0.4, 0.3, 0.15], apply: contrast },
  brightness: { first: [0, 0.05, 0.1, 0.15, 0.2, 0.3], apply: brightness },
  // Paler up to 2, stronger from 3: between them a ramp passes through the unchanged image.
  saturate: { first: [1, 0.3, 0.1, 1.5, 2, 2.5], second: [0, 0, 0, 0, 0.1, 0.2], apply: saturate },
  pixelate: { first: [1, 0.95, 0.9, 0.85, 0.75, 0.65], apply: pixelate },
  "zoom-blur": { first: [1, 1.06, 1.11, 1.16, 1.21, 1.26], apply: zoomBlur },
  fog: {
    first: [0, 0.2, 0.5, 0.75, 1, 1.5],
    second: [3, 3, 3, 2.5, 2, 1.75],
    apply: (picture, amount, decay, draws) => fog(picture, amount, decay, draws.uniform),
  },
} as const satisfies Record<Corruption, CorruptionRule>;

/** @param draws used by the random changes alone, in their order. */
export function applyDomain(picture: Picture, domain: Domain, draws: RandomDraws): Picture {
  return domain.reduce((changed, change) => applyChange(changed, change, draws), picture);
}

function applyChange(picture: Picture, change: Change, draws: RandomDraws): Picture {
  switch (change.kind) {
    case "rotation":
      return rotation(picture, change.degrees);
    case "inversion":
      return inversion(picture, change.amount);
    case "thickness":
      return thickness(picture, change.pixels);
    default: {
      if (change.severity === 0) return picture;
      const { first, second = [0, 0, 0, 0, 0, 0], apply }: CorruptionRule = RULES[change.kind];
      return apply(picture, constantAt(first, change.severity), constantAt(second, change.severity), draws);
    }
  }
}

/** Linear between two severities. */
function constantAt(constants: Constants, severity: number): number {
  const below = Math.floor(severity);
  const low = constants[below] as number;
  const high = constants[below + 1] ?? low;
  return below === severity ? low : low + (severity - below) * (high - low);
}

/** Every change at the share `strength` (0 to 1) of its own. */
export function scaleDomain(domain: Domain, strength: number): Domain {
  return domain.map((change) => {
    switch (change.kind) {
      case "rotation":
        return { ...change, degrees: change.degrees * strength };
      case "inversion":
        return { ...change, amount: change.amount * strength };
      case "thickness":
        return { ...change, pixels: change.pixels * strength };
      default:
        return { ...change, severity: change.severity * strength };
    }
  });
}
