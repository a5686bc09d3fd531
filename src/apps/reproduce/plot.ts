/** Finished cells as SVG: accuracy against steps or against wall time, a line per source, the mean over its seeds. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Cell } from "./cell.ts";
import { mean } from "./table.ts";

export interface PlotOptions {
  readonly title: string;
  readonly cells: readonly Cell[];
  readonly against: "steps" | "minutes";
  /** Horizontal lines: figures of others. */
  readonly references: readonly { readonly name: string; readonly accuracy: number }[];
}

/** Accuracies below this are left out: the first steps would squeeze what matters. */
const LOWEST = 0.97;
const SIZE = { width: 900, height: 520 } as const;

/**
 * The same cells give the same text. Rejects with KN_UNAVAILABLE when the drawing library, a development dependency, is
 * absent.
 */
export async function plotAccuracy({ title, cells, against, references }: PlotOptions): Promise<string> {
  const echarts = await import("echarts").catch((cause: unknown) => {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "draw a plot",
      rule: "echarts must be installed",
      value: "absent",
      remedy: "run `npm ci`",
      cause,
    });
  });
  const sources = [...new Set(cells.map(({ source }) => source))];
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption({
      animation: false,
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
    return renumber(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
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

/** zrender numbers what it draws on and on, for the whole process: the same cells shall give the same text. */
function renumber(svg: string): string {
  const names = new Map<string, string>();
  return svg.replaceAll(/zr\d*-[a-z]+-?\d+/g, (name) => {
    const known = names.get(name) ?? `zr-${names.size}`;
    names.set(name, known);
    return known;
  });
}
