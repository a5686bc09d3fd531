/**
 * splitmix32 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"; the 32-bit constants are
 * Wellons's): a stream of 32-bit words from one word of state. For orders and views, not for secrets.
 */
export function splitmix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  };
}
