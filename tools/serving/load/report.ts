/** Figures out of the records of a load. */
import type { LoadResult } from "./load-records.ts";
import { isFailure, isRefusal, OUTCOMES, type Outcome } from "./outcome.ts";
import { type Expected, verifyAnswers } from "./verify-answers.ts";

export interface Percentiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface StreamReport {
  /** Warm-up included, as are all counts. */
  readonly requests: number;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  /** Good answers per second, from the warm-up to the last request. */
  readonly goodputPerSecond: number;
  /** Of good answers after the warm-up, from the intended time of sending. */
  readonly latencyMs: Percentiles;
  /** Of refusals, likewise. */
  readonly refusalMs: Percentiles;
  /** Good answers by release. */
  readonly releases: Readonly<Record<number, number>>;
  /** Mean number of samples computed together. */
  readonly meanBatch: number;
}

export interface SecondReport {
  /** From the start. */
  readonly second: number;
  readonly requests: number;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadReport {
  readonly seconds: number;
  readonly total: StreamReport;
  readonly streams: Readonly<Record<string, StreamReport>>;
  /** Good answers after the warm-up, within the radius of a mark; and all others. */
  readonly nearMarks: Percentiles;
  readonly awayFromMarks: Percentiles;
  readonly series: readonly SecondReport[];
  /** Texts of refusals and failures, and how often. */
  readonly texts: Readonly<Record<string, number>>;
  /** Distinct answers whose bits were compared; 0: none were. */
  readonly compared: number;
  readonly generator: {
    readonly cpuSeconds: number;
    /** From the intended time to that of sending: its lateness and its queue. */
    readonly lagMs: Percentiles;
  };
  /** Outcome of each request, index in OUTCOMES, after the comparison. */
  readonly outcome: Uint8Array;
}

export interface ReportOptions {
  /** Compares the bits of every answer. */
  readonly expected?: Expected;
  /** Around a mark, ms. @default 100 */
  readonly radiusMs?: number;
}

const DEFAULT_RADIUS_MS = 100;
const MS = 1_000;

export async function reportOf(
  result: LoadResult,
  { expected, radiusMs = DEFAULT_RADIUS_MS }: ReportOptions = {},
): Promise<LoadReport> {
  const { records, startedMs, warmUpMs, streams, seconds, marks } = result;
  const verdict = expected === undefined ? undefined : await verifyAnswers(records, expected);
  const outcome = verdict?.outcome ?? records.outcome;
  const warmMs = startedMs + warmUpMs;
  const lastMs = records.intendedMs.reduce((last, each) => Math.max(last, each), 0);
  const all = Array.from({ length: records.count }, (_, index) => index);
  const outcomeAt = (index: number): Outcome => OUTCOMES[outcome[index] ?? 0] ?? "malformed";
  const isWarm = (index: number): boolean => (records.intendedMs[index] ?? 0) >= warmMs;
  const latencies = (indices: readonly number[]): Percentiles =>
    percentilesOf(indices.map((index) => records.latencyMs[index] ?? 0));

  const describe = (indices: readonly number[]): StreamReport => {
    const outcomes: Partial<Record<Outcome, number>> = {};
    const releases: Record<number, number> = {};
    let batchSum = 0;
    for (const index of indices) {
      const each = outcomeAt(index);
      outcomes[each] = (outcomes[each] ?? 0) + 1;
      if (each !== "ok") continue;
      const release = records.release[index] ?? 0;
      releases[release] = (releases[release] ?? 0) + 1;
      batchSum += records.batch[index] ?? 0;
    }
    const countOf = (is: (each: Outcome) => boolean): number =>
      OUTCOMES.filter(is).reduce((sum, each) => sum + (outcomes[each] ?? 0), 0);
    const warm = indices.filter(isWarm);
    const good = warm.filter((index) => outcomeAt(index) === "ok");
    const ok = outcomes.ok ?? 0;
    return {
      requests: indices.length,
      outcomes,
      ok,
      refused: countOf(isRefusal),
      failed: countOf(isFailure),
      goodputPerSecond: (good.length * MS) / Math.max(1, lastMs - warmMs),
      latencyMs: latencies(good),
      refusalMs: latencies(warm.filter((index) => isRefusal(outcomeAt(index)))),
      releases,
      meanBatch: ok === 0 ? 0 : batchSum / ok,
    };
  };

  const near = nearest(marks.map(({ atMs }) => atMs));
  const good = all.filter((index) => isWarm(index) && outcomeAt(index) === "ok");
  const isNear = (index: number): boolean => near(records.intendedMs[index] ?? 0) <= radiusMs;
  return {
    seconds,
    total: describe(all),
    streams: Object.fromEntries(
      streams.map((name, stream) => [name, describe(all.filter((index) => records.stream[index] === stream))]),
    ),
    nearMarks: latencies(good.filter(isNear)),
    awayFromMarks: latencies(good.filter((index) => !isNear(index))),
    series: bySecond(all, (index) => Math.floor(((records.intendedMs[index] ?? 0) - startedMs) / MS)).map(
      ([second, indices]) => {
        const { requests, ok, refused, failed } = describe(indices);
        const { p50, p99 } = latencies(indices.filter((index) => outcomeAt(index) === "ok"));
        return { second, requests, ok, refused, failed, p50Ms: p50, p99Ms: p99 };
      },
    ),
    texts: result.texts,
    compared: verdict?.compared ?? 0,
    generator: {
      cpuSeconds: result.cpuSeconds,
      lagMs: percentilesOf(all.filter(isWarm).map((index) => records.lagMs[index] ?? 0)),
    },
    outcome,
  };
}

/** By the nearest rank, of values in any order; NaN of none. */
export function percentilesOf(values: Iterable<number>): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { count: sorted.length, mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** Distance of a time from the nearest of `times`. */
function nearest(times: readonly number[]): (atMs: number) => number {
  const sorted = Float64Array.from(times).sort();
  return (atMs) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? 0) < atMs) low = middle + 1;
      else high = middle;
    }
    const before = sorted[low - 1] ?? Number.NEGATIVE_INFINITY;
    return Math.min(atMs - before, (sorted[low] ?? Number.POSITIVE_INFINITY) - atMs);
  };
}

function bySecond(indices: readonly number[], secondOf: (index: number) => number): [number, number[]][] {
  const seconds = new Map<number, number[]>();
  for (const index of indices) {
    const second = secondOf(index);
    const found = seconds.get(second);
    if (found === undefined) seconds.set(second, [index]);
    else found.push(index);
  }
  return [...seconds].sort(([a], [b]) => a - b);
}
