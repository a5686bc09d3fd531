/** The comparison as SVG: accuracy against parameters, and against the number of labels. */
import { drawSvg } from "../draw-svg.ts";
import { mean } from "../markdown.ts";
import type { TransferExperiment } from "./settings.ts";
import { armsOf } from "./table.ts";
import type { Arm, TransferCell } from "./transfer-cell.ts";

const ARMS = ["teacher", "alone", "logits", "sections", "transfer"] as const;
const SETTINGS = ["few", "all"] as const;

/** The same cells give the same text. Each point is a seed on the left, the mean of the seeds on the right. */
export function plotTransfer(experiment: TransferExperiment, cells: readonly TransferCell[]): Promise<string> {
  const sizes = cells.find((cell) => cell.sizes !== undefined)?.sizes;
  const millions = (name: Arm["name"]): number =>
    ((name === "teacher" ? sizes?.teacher.parameters : sizes?.student.parameters) ?? 0) / 1e6;
  const rounded = (share: number): number => Number((100 * share).toFixed(3));
  const all = cells.flatMap(({ arms }) => arms.map(({ heldOut }) => 100 * heldOut));
  const axis = {
    type: "value" as const,
    name: "held-out accuracy, %",
    nameLocation: "middle" as const,
    nameGap: 40,
    min: Math.floor(Math.min(100, ...all)) - 1,
    max: Math.ceil(Math.max(0, ...all)) + 1,
  };
  return drawSvg({
    title: { text: experiment.title, left: "center", top: 8, textStyle: { fontSize: 15 } },
    legend: { top: 36, data: [...ARMS] },
    grid: [
      { left: 65, width: 350, top: 75, bottom: 55 },
      { left: 510, width: 350, top: 75, bottom: 55 },
    ],
    xAxis: [
      {
        gridIndex: 0,
        type: "value",
        name: "parameters, millions (every seed, all labels)",
        nameLocation: "middle",
        nameGap: 30,
        min: 0,
      },
      {
        gridIndex: 1,
        type: "log",
        name: "images with a label (mean of the seeds)",
        nameLocation: "middle",
        nameGap: 30,
      },
    ],
    yAxis: [
      { gridIndex: 0, ...axis },
      { gridIndex: 1, ...axis },
    ],
    series: ARMS.flatMap((name) => [
      {
        name,
        type: "scatter" as const,
        xAxisIndex: 0,
        yAxisIndex: 0,
        symbolSize: 9,
        data: armsOf(cells, "all", name).map(({ heldOut }) => [Number(millions(name).toFixed(3)), rounded(heldOut)]),
      },
      {
        name,
        type: "line" as const,
        xAxisIndex: 1,
        yAxisIndex: 1,
        symbolSize: 7,
        data: SETTINGS.flatMap((setting) => {
          const arms = armsOf(cells, setting, name);
          return arms.length === 0
            ? []
            : [[experiment.labels[setting], rounded(mean(arms.map(({ heldOut }) => heldOut)))]];
        }),
      },
    ]),
  });
}
