/**
 * Decides by its answers whether a release must be withdrawn: a candidate, or a live release in its first minutes. Compared
 * with the release before it, over the same time where both answer. Plain state.
 */
import { medianWith } from "./recent-median.ts";

export interface ReleaseFigures {
  /** Answered requests, and those that failed in it with an error of a replica; of a shadow, copies of batches. */
  answers: number;
  failures: number;
  /** Answers that would not have been finite. */
  nonFinite: number;
  batches: number;
  /** Of each of the last batches, its time over the time that is usual for its size; and their median. */
  readonly ratios: number[];
  slowness: number;
  /** Since when the median is above what is allowed; undefined: it is not. */
  slowSinceMs: number | undefined;
  /** Of a shadow: answers compared with the live release's, and those of another class. */
  compared: number;
  differing: number;
  /** Of a shadow: inputs for which it has no finite answer where the live release has one. */
  nonFiniteAlone: number;
}

export interface GuardRules {
  /** Requests, or batches for latency, before it decides. */
  readonly leastAnswers: number;
  /** Share of failures, and of answers that are not finite, above that of the other release. */
  readonly maxFailureShare: number;
  /** Times the usual duration of a batch, in the median of the last 20. */
  readonly maxSlowness: number;
  /** For so long without a break, ms. */
  readonly slowForMs: number;
}

/**
 * 20 answers show a fault of every release that fails in one request of seven, with 95 % certainty. A machine that is busy,
 * with the loading of that release above all, makes 20 batches in a row three times as slow, but not for seconds.
 */
export const GUARD_RULES: GuardRules = { leastAnswers: 20, maxFailureShare: 0.05, maxSlowness: 2, slowForMs: 3_000 };

export interface Withdrawal {
  readonly reason: string;
  readonly numbers: Readonly<Record<string, number>>;
}

export function noFigures(): ReleaseFigures {
  return {
    answers: 0,
    failures: 0,
    nonFinite: 0,
    batches: 0,
    ratios: [],
    slowness: 1,
    slowSinceMs: undefined,
    compared: 0,
    differing: 0,
    nonFiniteAlone: 0,
  };
}

/** Batches that the median is of. */
const RECENT = 20;

/** @param ratio time of the batch over the time that is usual for its size */
export function noteBatch(
  figures: ReleaseFigures,
  ratio: number,
  nowMs: number,
  { maxSlowness }: Pick<GuardRules, "maxSlowness"> = GUARD_RULES,
): void {
  figures.batches += 1;
  figures.slowness = medianWith(figures.ratios, ratio, RECENT);
  figures.slowSinceMs = figures.slowness > maxSlowness ? (figures.slowSinceMs ?? nowMs) : undefined;
}

/** @param other of the release that answers otherwise. @returns undefined: it stays */
export function judge(
  figures: ReleaseFigures,
  other: ReleaseFigures,
  nowMs: number,
  { leastAnswers, maxFailureShare, slowForMs }: GuardRules = GUARD_RULES,
): Withdrawal | undefined {
  const requests = figures.answers + figures.failures + figures.nonFinite;
  const withdrawal = (reason: string): Withdrawal => ({
    reason,
    numbers: {
      answers: figures.answers,
      failures: figures.failures,
      nonFinite: figures.nonFinite + figures.nonFiniteAlone,
      batches: figures.batches,
      slowness: round(figures.slowness),
      compared: figures.compared,
      differing: figures.differing,
      failureShareBefore: round(shareOf(other.failures, other)),
    },
  });
  if (requests >= leastAnswers) {
    const failed = shareOf(figures.failures, figures);
    if (failed > maxFailureShare + shareOf(other.failures, other))
      return withdrawal(`${percent(failed)} of its requests failed`);
    const nonFinite = shareOf(figures.nonFinite, figures);
    if (nonFinite > maxFailureShare + shareOf(other.nonFinite, other))
      return withdrawal(`${percent(nonFinite)} of its answers are not finite`);
  }
  if (figures.nonFiniteAlone >= NON_FINITE_ALONE)
    return withdrawal(`${figures.nonFiniteAlone} answers are not finite where the live release's are`);
  const slowMs = nowMs - (figures.slowSinceMs ?? nowMs);
  if (figures.batches >= leastAnswers && slowMs >= slowForMs)
    return withdrawal(`its batches take ${round(figures.slowness)} times as long`);
  return undefined;
}

function shareOf(count: number, { answers, failures, nonFinite }: ReleaseFigures): number {
  return count / Math.max(1, answers + failures + nonFinite);
}

function percent(share: number): string {
  return `${round(100 * share)} %`;
}

/** One such answer shows the fault; three exclude a damaged message. */
const NON_FINITE_ALONE = 3;

function round(value: number): number {
  return Math.round(1_000 * value) / 1_000;
}
