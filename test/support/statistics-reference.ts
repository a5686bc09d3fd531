/** Values of SciPy, statsmodels and river (conformance/statistics/reference.py), and what differs from them here. */
import { openAdwin } from "../../src/continuous/drift/index.ts";
import {
  binomialTail,
  kolmogorovSmirnovTest,
  logGamma,
  mcNemarTest,
  normalQuantile,
  regularizedBeta,
  shareInterval,
  studentQuantile,
  weightedMean,
  type WeightedValue,
} from "../../src/continuous/statistics/index.ts";

export interface StatisticsReference {
  readonly logGamma: readonly { x: number; value: number }[];
  readonly regularizedBeta: readonly { x: number; a: number; b: number; value: number }[];
  readonly normalQuantile: readonly { share: number; value: number }[];
  readonly studentQuantile: readonly { share: number; degreesOfFreedom: number; value: number }[];
  readonly shares: readonly {
    successes: number;
    trials: number;
    confidence: number;
    chance: number;
    tail: number;
    low: number;
    high: number;
  }[];
  readonly mcNemar: readonly { gains: number; losses: number; pValue: number; pValueBetter: number }[];
  readonly weightedMean: readonly {
    values: readonly WeightedValue[];
    mean: number;
    standardError: number;
    low: number;
    high: number;
  }[];
  readonly kolmogorovSmirnov: readonly {
    first: readonly number[];
    second: readonly number[];
    statistic: number;
    pValue: number;
  }[];
  readonly adwin: readonly {
    delta: number;
    checkEvery: number;
    values: readonly number[];
    detections: readonly number[];
    windows: readonly { index: number; width: number; mean: number }[];
  }[];
}

export type Kind = keyof StatisticsReference;

/** Relative, and absolute for values below 1e-3. */
const TOLERANCE = 1e-9;
/** Of Acklam's approximation, which sizes bets only. */
const NORMAL_TOLERANCE = 2e-9;

const differs = (found: number, wanted: number, tolerance = TOLERANCE): boolean =>
  !(Math.abs(found - wanted) <= tolerance * Math.max(Math.abs(wanted), 1e-3));

/** @returns one line for each case whose value is not the reference's */
export function differencesOf(reference: StatisticsReference, kind: Kind): readonly string[] {
  return reference[kind].flatMap((_, index) => {
    const different = COMPARE[kind](reference, index);
    return different.length === 0 ? [] : [`${kind} ${index}: ${different.join("; ")}`];
  });
}

type Compare = (reference: StatisticsReference, index: number) => readonly string[];

function fields(found: object, wanted: object, tolerance?: number): readonly string[] {
  const values = new Map<string, unknown>(Object.entries(found));
  return Object.entries(wanted).flatMap(([name, value]) =>
    differs(Number(values.get(name)), value as number, tolerance)
      ? [`${name} is ${String(values.get(name))}, not ${value}`]
      : [],
  );
}

function caseOf<K extends Kind>(
  reference: StatisticsReference,
  kind: K,
  index: number,
): StatisticsReference[K][number] {
  const found = reference[kind][index];
  if (found === undefined) throw new RangeError(`${kind} ${index}`);
  return found;
}

const COMPARE: Readonly<Record<Kind, Compare>> = {
  logGamma: (reference, index) => {
    const { x, value } = caseOf(reference, "logGamma", index);
    return fields({ value: logGamma(x) }, { value });
  },
  regularizedBeta: (reference, index) => {
    const { x, a, b, value } = caseOf(reference, "regularizedBeta", index);
    return fields({ value: regularizedBeta(x, a, b) }, { value });
  },
  normalQuantile: (reference, index) => {
    const { share, value } = caseOf(reference, "normalQuantile", index);
    return fields({ value: normalQuantile(share) }, { value }, NORMAL_TOLERANCE);
  },
  studentQuantile: (reference, index) => {
    const { share, degreesOfFreedom, value } = caseOf(reference, "studentQuantile", index);
    return fields({ value: studentQuantile(share, degreesOfFreedom) }, { value });
  },
  shares: (reference, index) => {
    const { successes, trials, confidence, chance, ...wanted } = caseOf(reference, "shares", index);
    const interval = shareInterval(successes, trials, confidence);
    return fields({ ...interval, tail: binomialTail(successes, trials, chance) }, wanted);
  },
  mcNemar: (reference, index) => {
    const wanted = caseOf(reference, "mcNemar", index);
    return fields(mcNemarTest(wanted.gains, wanted.losses), wanted);
  },
  weightedMean: (reference, index) => {
    const { values, ...wanted } = caseOf(reference, "weightedMean", index);
    return fields(weightedMean(values), wanted);
  },
  kolmogorovSmirnov: (reference, index) => {
    const { first, second, ...wanted } = caseOf(reference, "kolmogorovSmirnov", index);
    return fields(kolmogorovSmirnovTest(first, second), wanted);
  },
  adwin: (reference, index) => {
    const { delta, checkEvery, values, detections, windows } = caseOf(reference, "adwin", index);
    let detector = openAdwin({ delta, checkEvery });
    const found: number[] = [];
    const wantedAt = new Map(windows.map((window) => [window.index, window]));
    const different = values.flatMap((value, at) => {
      if (detector.update(value)) found.push(at);
      const wanted = wantedAt.get(at);
      const own = { index: at, width: detector.width(), mean: detector.mean() };
      const lines = wanted === undefined ? [] : fields(own, wanted);
      // What is stored goes on as if it had not been.
      if (at % 500 === 499) detector = openAdwin({ delta, checkEvery }, detector.state());
      return lines.map((line) => `value ${at}: ${line}`);
    });
    const isSame = found.join() === detections.join();
    return isSame ? different : [`detections ${found.join()}, not ${detections.join()}`, ...different];
  },
};
