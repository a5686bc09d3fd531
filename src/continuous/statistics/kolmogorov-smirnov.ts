/**
 * Two-sample Kolmogorov-Smirnov test, two-sided, with the exact p-value: the share of the orders of both samples in which
 * the distance would be at least as large (Hodges, Arkiv foer Matematik 3, 1958). The path of ranks from (0, 0) to
 * (m, n) is a chain whose steps have known chances; what reaches the distance is summed directly, so that a small
 * p-value keeps its digits. Values that are equal in both samples make it conservative, as in SciPy.
 *
 * Time m x n: 4 million steps, about 20 ms, for two windows of 2,000.
 */
import { KnowledgeNetError } from "../../errors/index.ts";

/** As SciPy, which computes the exact value up to here. */
const MOST_VALUES = 10_000;

export interface KolmogorovSmirnovTest {
  /** The largest distance between both distribution functions, in [0, 1]. */
  readonly statistic: number;
  readonly pValue: number;
}

/** @throws KnowledgeNetError KN_CONFIG when a sample is empty, has more than 10,000 values or one that is not finite */
export function kolmogorovSmirnovTest(first: ArrayLike<number>, second: ArrayLike<number>): KolmogorovSmirnovTest {
  const a = sorted(first);
  const b = sorted(second);
  const distance = largestDistance(a, b); // in units of 1 / (m n), exact
  return {
    statistic: distance / (a.length * b.length),
    pValue: distance === 0 ? 1 : chanceOfDistance(a.length, b.length, distance),
  };
}

function sorted(sample: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(sample).sort();
  if (values.length === 0 || values.length > MOST_VALUES || !values.every(Number.isFinite)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "compare two samples by Kolmogorov-Smirnov",
      rule: `each must have 1 to ${MOST_VALUES} finite values`,
      value: `${values.length} values`,
      remedy: "compare a uniform sample of the window",
    });
  }
  return values;
}

function largestDistance(a: Float64Array, b: Float64Array): number {
  let largest = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i] ?? 0, b[j] ?? 0);
    while (i < a.length && a[i] === value) i += 1;
    while (j < b.length && b[j] === value) j += 1;
    largest = Math.max(largest, Math.abs(i * b.length - j * a.length));
  }
  return largest;
}

/** P(a path reaches |i n - j m| >= distance), by the chance of each point without having reached it before. */
function chanceOfDistance(m: number, n: number, distance: number): number {
  let reached = 0;
  const row = new Float64Array(n + 1); // chance of (i, j), not reached before
  for (let i = 0; i <= m; i += 1) {
    let left = 0; // chance of (i, j - 1)
    for (let j = 0; j <= n; j += 1) {
      const rest = m + n - i - j + 1; // of the point before
      let chance = i === 0 && j === 0 ? 1 : 0;
      if (i > 0) chance += ((row[j] ?? 0) * (m - i + 1)) / rest;
      if (j > 0) chance += (left * (n - j + 1)) / rest;
      if (chance > 0 && Math.abs(i * n - j * m) >= distance) {
        reached += chance;
        chance = 0;
      }
      row[j] = chance;
      left = chance;
    }
  }
  return Math.min(1, reached);
}
