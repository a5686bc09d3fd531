/**
 * Draws from distributions, a stream of its own for each list of words: seed, window, index. Equal words give equal
 * draws, whatever was drawn elsewhere. For images, orders and samples, not for secrets.
 *
 * The generator is sfc32 (Doty-Humphrey, PractRand): 128 bits of state, so the streams of a million images do not meet.
 */
export interface RandomDraws {
  /** 32 bits. */
  word(): number;
  /** In [0, 1), 32 bits. */
  uniform(): number;
  /** An integer in [0, count). */
  below(count: number): number;
  /** Mean 0, variance 1. */
  normal(): number;
  /** @param mean 0 or more. */
  poisson(mean: number): number;
  /** Of scale 1. @param shape above 0. */
  gamma(shape: number): number;
}

const WORDS = 2 ** 32;

/** @param words each is used modulo 2^32. */
export function randomDraws(...words: readonly number[]): RandomDraws {
  const word = sfc32(words);
  const uniform = (): number => word() / WORDS;
  let spare: number | undefined;
  /** Polar method (Marsaglia and Bray 1964): two at a time. */
  const normal = (): number => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = v * factor;
      return u * factor;
    }
  };
  /** Marsaglia and Tsang 2000; below shape 1, by their U^(1/shape). */
  const gamma = (shape: number): number => {
    if (!(shape > 0)) throw new RangeError(`the shape of a gamma distribution must be above 0, not ${shape}`);
    if (shape < 1) return gamma(shape + 1) * (1 - uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      if (Math.log(1 - uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  return {
    word,
    uniform,
    below: (count) => Math.floor(uniform() * count),
    normal,
    poisson: (mean) => poisson(mean, uniform),
    gamma,
  };
}

/** Above this mean, the transformed rejection is cheaper than the product of uniforms. */
const SMALL_MEAN = 10;

/** Knuth's product for small means, else PTRS (Hoermann 1993, "The transformed rejection method for Poisson"). */
function poisson(mean: number, uniform: () => number): number {
  if (!(mean >= 0)) throw new RangeError(`the mean of a Poisson distribution must be 0 or more, not ${mean}`);
  if (mean < SMALL_MEAN) {
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = uniform(); product > limit; product *= uniform()) count += 1;
    return count;
  }
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  const logMean = Math.log(mean);
  for (;;) {
    const u = uniform() - 0.5;
    const v = 1 - uniform();
    const us = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= vr) return count;
    if (count < 0 || (us < 0.013 && v > us)) continue;
    const accepted = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b);
    if (accepted <= count * logMean - mean - logFactorial(count)) return count;
  }
}

const FACTORIALS_BELOW = 16;
const LOG_FACTORIALS = ((): readonly number[] => {
  const logs = [0];
  for (let count = 1; count < FACTORIALS_BELOW; count += 1) logs.push((logs[count - 1] as number) + Math.log(count));
  return logs;
})();

/** ln(count!), to 1e-9 by Stirling's series. */
export function logFactorial(count: number): number {
  const known = LOG_FACTORIALS[count];
  if (known !== undefined) return known;
  const inverse = 1 / count;
  const series = inverse / 12 - inverse ** 3 / 360 + inverse ** 5 / 1260;
  return (count + 0.5) * Math.log(count) - count + 0.5 * Math.log(2 * Math.PI) + series;
}

/** Rounds that mix the words of the seed into all of the state. */
const WARM_UP = 12;

function sfc32(words: readonly number[]): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (const word of words) {
    a ^= word;
    for (let round = 0; round < WARM_UP; round += 1) next();
  }
  return next;
}
