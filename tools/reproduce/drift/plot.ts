/** Accuracy by window, every arm of one schedule, as SVG. */
import { drawSvg } from "../draw-svg.ts";
import { mean } from "../markdown.ts";
import type { DriftCell, WindowFigures } from "./drift-cell.ts";
import { ARMS, type ScheduleName } from "./settings.ts";

/** Means of the seeds. The same cells give the same text. */
export function plotDrift(schedule: ScheduleName, cells: readonly DriftCell[]): Promise<string> {
  const bySeed = [...new Map(cells.map((cell) => [cell.seed, cell])).values()];
  const lineOf = (of: readonly DriftCell[], pick: (window: WindowFigures) => number): [number, number][] =>
    (of[0]?.windows ?? []).map((_, window) => {
      const values = of.flatMap(({ windows }) => windows.slice(window, window + 1).map(pick));
      return [window, Number((100 * mean(values)).toFixed(2))];
    });
  const lines = [
    { name: "oracle", data: lineOf(bySeed, ({ oracle }) => oracle) },
    { name: "frozen", data: lineOf(bySeed, ({ frozen }) => frozen) },
    ...ARMS.flatMap((arm) => {
      const of = cells.filter((cell) => cell.arm === arm);
      return of.length === 0 ? [] : [{ name: arm, data: lineOf(of, ({ accuracy }) => accuracy) }];
    }),
  ];
  const middle = { nameLocation: "middle" as const };
  return drawSvg({
    title: { text: `Accuracy of what is served: ${schedule}`, left: "center", top: 8, textStyle: { fontSize: 15 } },
    legend: { top: 36, data: lines.map(({ name }) => name) },
    grid: { left: 65, right: 40, top: 75, bottom: 55 },
    xAxis: { type: "value", name: "window", ...middle, nameGap: 30, minInterval: 1 },
    yAxis: { type: "value", name: "accuracy, %", ...middle, nameGap: 40, max: 100 },
    series: lines.map((line) => ({
      ...line,
      type: "line" as const,
      symbolSize: line.name === "follow" ? 7 : 4,
      lineStyle: { width: line.name === "follow" ? 3 : 1.5 },
    })),
  });
}
