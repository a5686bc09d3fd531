import { describe, expect, it } from "vitest";
import type { DriftCell, WindowFigures } from "../../../../../tools/reproduce/drift/drift-cell.ts";
import {
  decisionFigures,
  driftOf,
  figuresOf,
  recoveredAfterNext,
  returnChange,
} from "../../../../../tools/reproduce/drift/figures.ts";

function window(figures: Partial<WindowFigures>): WindowFigures {
  return {
    ...{ accuracy: 0.9, start: 0.9, end: 0.9, oracle: 1, frozen: 0.9, windowZero: 0.9 },
    ...{ uploads: 0, uploadBytes: 0, labels: 0, updates: [], sentBytes: 0, promotions: 0, refusals: 0, rollbacks: 0 },
    decisions: [],
    ...figures,
  };
}

function cellOf(windows: readonly WindowFigures[]): DriftCell {
  return {
    ...{
      format: 1,
      experiment: "drift",
      schedule: "ramp",
      arm: "follow",
      seed: 1,
      samples: 1_000,
      windowZeroStart: 0.9,
    },
    ...{ windows: [...windows], events: [], seconds: 1, finishedAt: "", versions: {} },
    machine: { cpus: 2, model: "", memoryGiB: 1 },
  };
}

describe("figuresOf", () => {
  it("counts the gap where the frozen student is 15 points or more below the oracle, and over all windows", () => {
    const figures = figuresOf(
      cellOf([
        window({ accuracy: 0.9, frozen: 0.86 }),
        window({ accuracy: 0.8, frozen: 0.84 }),
        window({ accuracy: 0.96, frozen: 0.4 }),
      ]),
    );
    expect(figures.drifted).toBe(2);
    expect(figures.gap).toBeCloseTo((0.2 + 0.04) / 2, 12);
    expect(figures.gapOverall).toBeCloseTo((0.1 + 0.2 + 0.04) / 3, 12);
    expect(figures.frozenGap).toBeCloseTo((0.16 + 0.6) / 2, 12);
    expect(figures.recovered).toBeCloseTo(1 - 0.24 / 0.76, 12);
  });

  it("adds up what it cost; the 95th percentile of bytes is a size that was sent", () => {
    const updates = Array.from({ length: 20 }, (_, index) => ({ kind: "masked", bytes: 100 + index }));
    const figures = figuresOf(
      cellOf([window({ uploads: 50, labels: 60, updates, refusals: 1 }), window({ uploads: 30, rollbacks: 2 })]),
    );
    expect(figures).toMatchObject({ uploadShare: 0.04, labels: 60, refusals: 1, rollbacks: 2, updates: 20 });
    expect(figures.p95Bytes).toBe(118);
    expect(figuresOf(cellOf([window({ sentBytes: 300 }), window({ sentBytes: 100 })])).sentBytesPerWindow).toBe(200);
    expect(figuresOf(cellOf([window({})])).p95Bytes).toBeUndefined();
  });

  it("compares window 0 at the end with the student as it was trained", () => {
    expect(
      figuresOf(cellOf([window({ windowZero: 0.95 }), window({ windowZero: 0.88 })])).windowZeroChange,
    ).toBeCloseTo(-0.02, 12);
  });
});

describe("what is asked of one schedule", () => {
  it("driftOf leaves window 0 out", () => {
    expect(driftOf([window({ frozen: 0 }), window({ frozen: 0.8 }), window({ frozen: 0.6 })])).toBeCloseTo(0.3, 12);
  });

  it("recoveredAfterNext looks at the end of the window after the change", () => {
    const windows = [window({}), window({ end: 0.1 }), window({ oracle: 1, frozen: 0.2, end: 0.92 })];
    expect(recoveredAfterNext(windows, 1)).toBeCloseTo(0.9, 12);
    expect(recoveredAfterNext(windows, 2)).toBeNaN();
  });

  it("returnChange compares the start of the second A with the end of the first", () => {
    const windows = [{ end: 0.8 }, { end: 0.95 }, { start: 0.1 }, {}, { start: 0.93, end: 0.99 }].map(window);
    expect(returnChange(windows, 2)).toBeCloseTo(-0.02, 12);
  });
});

describe("decisionFigures", () => {
  it("counts promotions of what is worse, and refusals of what is much better", () => {
    const decisions: WindowFigures["decisions"] = [
      { verdict: "promote", labels: 40, truth: 0.03 },
      { verdict: "promote", labels: 60, truth: -0.001 },
      { verdict: "promote", labels: 60, truth: 0 },
      { verdict: "refuse", labels: 90, truth: 0.031 },
      { verdict: "refuse", labels: 80, truth: 0.029 },
    ];
    const windows = decisions.map((decision) => window({ decisions: [decision] }));
    expect(decisionFigures([cellOf(windows.slice(0, 2)), cellOf(windows.slice(2))])).toEqual({
      ...{ promoted: 3, promotedWorse: 1, refused: 2, good: 2, missed: 1, mostLabels: 90 },
    });
    expect(decisionFigures([])).toMatchObject({ promoted: 0, mostLabels: 0 });
  });
});
