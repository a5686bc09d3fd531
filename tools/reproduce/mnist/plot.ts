/** Finished cells as SVG: accuracy against steps or against wall time, a line per source, the mean over its seeds. */
import { drawSvg } from "../draw-svg.ts";
import { mean } from "../markdown.ts";
import type { Cell } from "./mnist-cell.ts";

export interface PlotOptions {
  readonly title: string;
  readonly cells: readonly Cell[];
  readonly against: "steps" | "minutes";
  /** Horizontal lines: figures of others. */
  readonly references: readonly { readonly name: string; readonly accuracy: number }[];
}

/** Accuracies below this are left out: the first steps would compress the rest of the scale. */
const LOWEST = 0.97;

/** The same cells give the same text. Rejects with KN_UNAVAILABLE when the drawing library is absent. */
export function plotAccuracy({ title, cells, against, references }: PlotOptions): Promise<string> {
  const sources = [...new Set(cells.map(({ source }) => source))];
  return drawSvg({
    title: { text: title, left: "center", top: 8, textStyle: { fontSize: 16 } },
    legend: { top: 36, data: sources },
    grid: { left: 70, right: 40, top: 75, bottom: 55 },
    xAxis: {
      type: "value",
      name: against === "steps" ? "training steps" : "minutes",
      nameLocation: "middle",
      nameGap: 30,
    },
    yAxis: {
      type: "value",
      name: "test accuracy, %",
      nameLocation: "middle",
      nameGap: 45,
      min: 100 * LOWEST,
      max: 100,
    },
    series: sources.map((source, index) => ({
      name: source,
      type: "line",
      symbolSize: 5,
      data: lineOf(
        cells.filter((cell) => cell.source === source),
        against,
      ),
      ...(index > 0
        ? {}
        : {
            markLine: {
              silent: true,
              symbol: "none",
              lineStyle: { type: "dashed", color: "#888" },
              data: references.map(({ name, accuracy }) => ({
                yAxis: 100 * accuracy,
                label: {
                  position: "insideEndTop",
                  color: "#555",
                  formatter: `${name} ${(100 * accuracy).toFixed(1)}`,
                },
              })),
            },
          }),
    })),
  });
}

/** Points of the whole test set, by step, the mean over seeds; of the steps that all seeds have. */
function lineOf(cells: readonly Cell[], against: PlotOptions["against"]): [number, number][] {
  const samples = Math.max(0, ...cells.flatMap(({ evaluations }) => evaluations.map((each) => each.samples)));
  const bySteps = new Map<number, { accuracy: number; seconds: number }[]>();
  for (const { evaluations } of cells) {
    for (const { step, accuracy, seconds, samples: seen } of evaluations) {
      if (seen === samples) bySteps.set(step, [...(bySteps.get(step) ?? []), { accuracy, seconds }]);
    }
  }
  return [...bySteps]
    .filter(([, points]) => points.length === cells.length)
    .sort(([a], [b]) => a - b)
    .map(([step, points]): [number, number] => [
      against === "steps" ? step : Number((mean(points.map(({ seconds }) => seconds)) / 60).toFixed(2)),
      Number((100 * mean(points.map(({ accuracy }) => accuracy))).toFixed(3)),
    ])
    .filter(([, accuracy]) => accuracy >= 100 * LOWEST);
}
