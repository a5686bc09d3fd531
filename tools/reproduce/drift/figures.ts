/** Figures of one cell, as they were defined before the first run. Pure. */
import { mean } from "../markdown.ts";
import type { DriftCell, WindowFigures } from "./drift-cell.ts";
import { LEAST_DRIFT } from "./settings.ts";

export interface DriftFigures {
  /** Windows in which the frozen student is `LEAST_DRIFT` or more below the oracle. */
  readonly drifted: number;
  /** Mean distance to the oracle, over drifted windows and over all. */
  readonly gap: number;
  readonly gapOverall: number;
  readonly frozenGap: number;
  /** Of the frozen student's distance to the oracle, over drifted windows. */
  readonly recovered: number;
  readonly accuracy: number;
  /** Live inputs that were uploaded, and their share of all. */
  readonly uploads: number;
  readonly uploadShare: number;
  /** 95th percentile of the bytes of an update; undefined: there was none. */
  readonly p95Bytes: number | undefined;
  /** To the edge, refused candidates included. */
  readonly sentBytesPerWindow: number;
  /** On window 0's test images, by what was served at the end, less that at the start. */
  readonly windowZeroChange: number;
  readonly updates: number;
  readonly refusals: number;
  readonly rollbacks: number;
  readonly labels: number;
}

export function figuresOf({ windows, windowZeroStart, samples }: DriftCell): DriftFigures {
  const drifted = windows.filter(({ oracle, frozen }) => oracle - frozen >= LEAST_DRIFT);
  const updates = windows.flatMap((window) => window.updates);
  const gap = meanGap(drifted, ({ accuracy }) => accuracy);
  const frozenGap = meanGap(drifted, ({ frozen }) => frozen);
  const sum = (of: (window: WindowFigures) => number): number => windows.reduce((total, each) => total + of(each), 0);
  return {
    drifted: drifted.length,
    gap,
    gapOverall: meanGap(windows, ({ accuracy }) => accuracy),
    frozenGap,
    recovered: 1 - gap / frozenGap,
    accuracy: mean(windows.map(({ accuracy }) => accuracy)),
    uploads: sum(({ uploads }) => uploads),
    uploadShare: sum(({ uploads }) => uploads) / (windows.length * samples),
    p95Bytes: percentile95(updates.map(({ bytes }) => bytes)),
    sentBytesPerWindow: sum(({ sentBytes }) => sentBytes) / windows.length,
    windowZeroChange: (windows.at(-1)?.windowZero ?? NaN) - windowZeroStart,
    updates: updates.length,
    refusals: sum(({ refusals }) => refusals),
    rollbacks: sum(({ rollbacks }) => rollbacks),
    labels: sum(({ labels }) => labels),
  };
}

export interface DecisionFigures {
  readonly promoted: number;
  /** Of them, those that were worse than what was served, on the test images. */
  readonly promotedWorse: number;
  readonly refused: number;
  /** Of all candidates that were better by `MISSED` or more; and the refused among them. */
  readonly good: number;
  readonly missed: number;
  readonly mostLabels: number;
}

/** An improvement that the gate is to see. */
export const MISSED = 0.03;

/** What the gate decided, and what was true: measured on the test images, which have an error of their own. */
export function decisionFigures(cells: readonly DriftCell[]): DecisionFigures {
  const all = cells.flatMap(({ windows }) => windows.flatMap(({ decisions }) => decisions));
  const promoted = all.filter(({ verdict }) => verdict === "promote");
  const good = all.filter(({ truth }) => truth >= MISSED);
  return {
    promoted: promoted.length,
    promotedWorse: promoted.filter(({ truth }) => truth < 0).length,
    refused: all.length - promoted.length,
    good: good.length,
    missed: good.filter(({ verdict }) => verdict === "refuse").length,
    mostLabels: Math.max(0, ...all.map(({ labels }) => labels)),
  };
}

/** The mean distance of the frozen student to the oracle after window 0: what makes it drift. */
export function driftOf(windows: readonly Pick<WindowFigures, "oracle" | "frozen">[]): number {
  return mean(windows.slice(1).map(({ oracle, frozen }) => oracle - frozen));
}

/** Share of the loss that is recovered at the end of the window after the one in which everything changed. */
export function recoveredAfterNext(windows: readonly WindowFigures[], at: number): number {
  const next = windows[at + 1];
  return next === undefined ? NaN : (next.end - next.frozen) / (next.oracle - next.frozen);
}

/** How the second of two equal periods starts, less how the first one ended. */
export function returnChange(windows: readonly WindowFigures[], period: number): number {
  return (windows[2 * period]?.start ?? NaN) - (windows[period - 1]?.end ?? NaN);
}

function meanGap(windows: readonly WindowFigures[], of: (window: WindowFigures) => number): number {
  return mean(windows.map((window) => window.oracle - of(window)));
}

/** Nearest rank. */
function percentile95(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1];
}
