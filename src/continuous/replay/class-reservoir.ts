/**
 * A class-balanced sample of a stream: for each class a uniform sample of what came of it (Vitter 1985, algorithm R). The
 * classes seen so far share the capacity equally. A new class makes the share of each smaller: the others drop samples
 * at random, and a random part of a uniform sample is a uniform sample.
 *
 * Draws are functions of (words, class, count), so the state is what is held and what was counted.
 */
import { randomDraws } from "../../data/index.ts";

export interface ClassReservoir<T> {
  /** @returns what is out of the sample for good; `item` may be among it. */
  offer(item: T, label: number): readonly T[];
  /** [class][slot] */
  readonly held: readonly (readonly T[])[];
  /** Offered items of each class. */
  readonly seen: readonly number[];
}

export interface ClassReservoirState<T> {
  readonly held: readonly (readonly T[])[];
  readonly seen: readonly number[];
}

export interface ClassReservoirOptions {
  readonly classes: number;
  /** At least one for each class. */
  readonly capacity: number;
  /** Seed of the draws. */
  readonly words: readonly number[];
}

const REPLACE = 1;
const SHRINK = 2;

export function createClassReservoir<T>(
  { classes, capacity, words }: ClassReservoirOptions,
  state?: ClassReservoirState<T>,
): ClassReservoir<T> {
  const held: T[][] = Array.from({ length: classes }, (_, label) => [...(state?.held[label] ?? [])]);
  const seen: number[] = Array.from({ length: classes }, (_, label) => state?.seen[label] ?? 0);
  let known = seen.filter((count) => count > 0).length;

  /** Drops samples of the classes that have more than the share of each. */
  const shrink = (quota: number): T[] => {
    const out: T[] = [];
    for (const [label, samples] of held.entries()) {
      const draws = randomDraws(...words, SHRINK, label, known);
      while (samples.length > quota) out.push(...samples.splice(draws.below(samples.length), 1));
    }
    return out;
  };
  return {
    held,
    seen,
    offer(item, label) {
      const samples = held[label];
      if (samples === undefined) throw new RangeError(`class ${label} is outside 0 to ${classes - 1}`);
      const isNew = seen[label] === 0;
      if (isNew) known += 1;
      const quota = Math.floor(capacity / known);
      const out = isNew ? shrink(quota) : [];
      const count = (seen[label] as number) + 1;
      seen[label] = count;
      if (count <= quota) {
        samples.push(item);
        return out;
      }
      const slot = randomDraws(...words, REPLACE, label, count).below(count);
      const replaced = samples[slot];
      if (slot >= quota || replaced === undefined) return [...out, item];
      samples[slot] = item;
      return [...out, replaced];
    },
  };
}
