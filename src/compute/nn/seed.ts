/** Independent seeds from one: every random draw of a run is a function of (run seed, purpose, counter). */

/**
 * A seed in 1 .. 2^31 - 1 from a parent seed and words. FNV-1a followed by a murmur3 finaliser: equal on every machine.
 */
export function deriveSeed(seed: number, ...words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const character of [seed, ...words].join("/")) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & 0x7fffffff || 1;
}
