/** Fog of CIFAR-10-C: a height map over the image, of the diamond-square algorithm (Fournier, Fussell, Carpenter 1982). */
import { clip, mapValues, type Picture } from "../picture/picture.ts";

/** Amplitude of the first draws. */
const FIRST_WIBBLE = 100;

/**
 * x' = (x + a map) m / (m + a), m the greatest value of the image.
 * @param uniform the next number in [0, 1).
 */
export function fog(picture: Picture, amount: number, decay: number, uniform: () => number): Picture {
  const { height, width, channels, values } = picture;
  const size = 2 ** Math.ceil(Math.log2(Math.max(height, width, 2)));
  const heights = plasma(size, decay, uniform);
  const peak = values.reduce((most, value) => Math.max(most, value), 0);
  if (peak + amount === 0) return picture;
  return mapValues(picture, (value, at) => {
    const pixel = Math.floor(at / channels);
    const here = heights[Math.floor(pixel / width) * size + (pixel % width)] as number;
    return clip(((value + amount * here) * peak) / (peak + amount));
  });
}

/** [size, size] of 0 to 1, periodic. @param size a power of two. */
function plasma(size: number, decay: number, uniform: () => number): Float64Array {
  const map = new Float64Array(size * size);
  const at = (y: number, x: number): number => ((y + size) % size) * size + ((x + size) % size);
  const heightAt = (y: number, x: number): number => map[at(y, x)] as number;
  let wibble = FIRST_WIBBLE;
  /** Sets each point of a grid of `step` from (fromY, fromX) to the mean of four neighbours and a draw. */
  const fill = (
    step: number,
    fromY: number,
    fromX: number,
    neighbours: readonly (readonly [number, number])[],
  ): void => {
    for (let y = fromY; y < size; y += step) {
      for (let x = fromX; x < size; x += step) {
        const sum = neighbours.reduce((total, [down, right]) => total + heightAt(y + down, x + right), 0);
        map[at(y, x)] = sum / 4 + wibble * (2 * wibble * uniform() - wibble);
      }
    }
  };
  for (let step = size; step >= 2; step /= 2) {
    const half = step / 2;
    const corners = [
      [-half, -half],
      [half, -half],
      [-half, half],
      [half, half],
    ] as const;
    const sides = [
      [-half, 0],
      [half, 0],
      [0, -half],
      [0, half],
    ] as const;
    fill(step, half, half, corners);
    fill(step, 0, half, sides);
    fill(step, half, 0, sides);
    wibble /= decay;
  }
  const least = map.reduce((low, value) => Math.min(low, value), Infinity);
  const most = map.reduce((high, value) => Math.max(high, value), -Infinity);
  return map.map((value) => (value - least) / (most - least));
}
