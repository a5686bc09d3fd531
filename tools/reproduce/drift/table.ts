/** The bench as Markdown: a table and a plot per schedule, every seed below. Pure. */
import { machinesOf, mean, minutes, percent, points, rowsOf } from "../markdown.ts";
import type { DriftCell } from "./drift-cell.ts";
import { decisionFigures, type DriftFigures, figuresOf, MISSED, recoveredAfterNext, returnChange } from "./figures.ts";
import { ARMS, type Arm, type DriftExperiment, LEAST_DRIFT, SCHEDULES, type ScheduleName } from "./settings.ts";

export interface DriftTableOptions {
  readonly experiment: DriftExperiment;
  readonly seeds: number;
  readonly cells: readonly DriftCell[];
  /** Path of the picture of a schedule from the document. */
  readonly plotOf: (schedule: ScheduleName) => string;
}

const MEANING: Readonly<Record<Arm, string>> = {
  follow: "the whole loop",
  sections: "`follow`, the student's sections trained by the oracle's before each training as a whole",
  "batch-norm": "statistics of batch norm alone, from each window's uploads",
  reset: "`blind`, from the weights of window 0 again every few windows",
  blind: "retrained and sent in each window, without a gate",
  "true-labels": "`follow`, by true labels in place of the oracle's",
  "random-upload": "`follow`, uploads drawn at random, of equal bytes",
};

export function driftTable({ experiment, seeds, cells, plotOf }: DriftTableOptions): string {
  const schedules = SCHEDULES.filter((schedule) => schedule in experiment.schedules);
  const sections = [
    `# ${experiment.title}`,
    introduction(experiment, seeds),
    ...schedules.flatMap((schedule) => {
      const of = cells.filter((cell) => cell.schedule === schedule);
      if (of.length === 0) return [`## ${schedule}`, "No run is finished."];
      return [
        `## ${schedule}`,
        `\`${JSON.stringify(experiment.schedules[schedule])}\``,
        rowsOf(HEAD, [...references(of), ...experiment.arms.map((arm) => rowOf(arm, experiment, seeds, of))]),
        ...besides(experiment, schedule, of),
        `![Accuracy by window, ${schedule}](${plotOf(schedule)})`,
      ];
    }),
    "## Decisions of the gate",
    gateTable(experiment, cells),
    "## Every run",
    everyRun(cells),
    machinesOf(cells),
  ];
  return `${sections.join("\n\n")}\n`;
}

function introduction(experiment: DriftExperiment, seeds: number): string {
  const { windows, samples, testSamples, link, name, oracle, student, trainingImages } = experiment;
  const arms = experiment.arms.map((arm) => `- \`${arm}\`: ${MEANING[arm]}`);
  return [
    `${windows} windows of ${samples} live images and ${testSamples} that measure; the ${trainingImages} images that oracle (\`${oracle.spec}\`, all domains) and student (\`${student.spec}\`, window 0) learned from are in no window. At most ${percent(link.uploadShare)} of the live images are uploaded. Each test image is answered by what is served at its time, before anything learned from that part of the window. Windows count as drifted where the frozen student is ${100 * LEAST_DRIFT} points or more below the oracle; \`recovered\` is the share of that distance. Means of ${seeds} seeds, lowest to highest in brackets. Command: \`npm run reproduce -- ${name}\`.`,
    arms.join("\n"),
  ].join("\n\n");
}

const HEAD = [
  "arm",
  "seeds",
  "accuracy",
  "gap to oracle, drifted windows",
  "all windows",
  "recovered",
  "uploaded",
  "p95 bytes of an update",
  "updates",
  "to the edge a window",
  "window 0 at the end",
];

/** Frozen student and oracle, which every cell of a stream has measured alike. */
function references(cells: readonly DriftCell[]): string[][] {
  const bySeed = [...new Map(cells.map((cell) => [cell.seed, cell])).values()];
  const of = (name: "frozen" | "oracle"): string =>
    percent(mean(bySeed.flatMap(({ windows }) => windows.map((window) => window[name]))));
  const gaps = bySeed.map((cell) => figuresOf(cell).frozenGap);
  const all = mean(bySeed.flatMap(({ windows }) => windows.map(({ oracle, frozen }) => oracle - frozen)));
  const seeds = String(bySeed.length);
  return [
    ["frozen", seeds, of("frozen"), range(gaps, points), points(all), "0", "0", "-", "0", "0", points(0)],
    ["oracle, always on", seeds, of("oracle"), points(0), points(0), percent(1), "all", "-", "-", "-", "-"],
  ];
}

function rowOf(arm: Arm, { name }: DriftExperiment, seeds: number, cells: readonly DriftCell[]): string[] {
  const figures = cells.filter((cell) => cell.arm === arm && cell.experiment === name).map(figuresOf);
  const count = `${figures.length} of ${seeds}`;
  if (figures.length === 0) return [arm, count, "missing", ...Array<string>(HEAD.length - 3).fill("-")];
  const of = (pick: (each: DriftFigures) => number, text: (value: number) => string): string =>
    range(figures.map(pick), text);
  const bytes = figures.flatMap(({ p95Bytes }) => (p95Bytes === undefined ? [] : [p95Bytes]));
  return [
    arm,
    count,
    of(({ accuracy }) => accuracy, percent),
    of(({ gap }) => gap, points),
    of(({ gapOverall }) => gapOverall, points),
    of(({ recovered }) => recovered, percent),
    of(({ uploadShare }) => uploadShare, percent),
    bytes.length === 0 ? "-" : range(bytes, kilobytes),
    of(
      ({ updates }) => updates,
      (value) => value.toFixed(1),
    ),
    of(({ sentBytesPerWindow }) => sentBytesPerWindow, kilobytes),
    of(({ windowZeroChange }) => windowZeroChange, points),
  ];
}

/** What is asked of one schedule alone. */
function besides(experiment: DriftExperiment, name: ScheduleName, cells: readonly DriftCell[]): string[] {
  const schedule = experiment.schedules[name];
  const perArm = (of: (cell: DriftCell) => number, text: (value: number) => string): string =>
    ARMS.flatMap((arm) => {
      const values = cells.filter((cell) => cell.arm === arm).map(of);
      return values.length === 0 ? [] : [`${arm} ${range(values, text)}`];
    }).join(", ");
  if (schedule?.kind === "abrupt") {
    const { at } = schedule;
    return [
      `Recovered of the loss at the end of window ${at + 1}: ${perArm(({ windows }) => recoveredAfterNext(windows, at), percent)}.`,
    ];
  }
  if (schedule?.kind === "recurring") {
    const { periodWindows } = schedule;
    return [
      `Start of the second A less the end of the first: ${perArm(({ windows }) => returnChange(windows, periodWindows), points)}.`,
    ];
  }
  return [];
}

function gateTable({ arms, testSamples }: DriftExperiment, cells: readonly DriftCell[]): string {
  const head = [
    ...["arm", "promoted", "of them worse", "refused"],
    ...[`better by ${100 * MISSED} points or more`, "of them refused", "most labels of one"],
  ];
  const rows = arms.flatMap((arm) => {
    const of = decisionFigures(cells.filter((cell) => cell.arm === arm));
    if (of.promoted + of.refused === 0) return [];
    const counts = [of.promoted, of.promotedWorse, of.refused, of.good, of.missed, of.mostLabels];
    return [[arm, ...counts.map(String)]];
  });
  const text = `Worse and better: on the ${testSamples} test images of the window, whose standard error is some 0.7 points at 5 % of disagreements.`;
  return rows.length === 0 ? "No decision yet." : `${text}\n\n${rowsOf(head, rows)}`;
}

function everyRun(cells: readonly DriftCell[]): string {
  const head = ["schedule", "arm", "seed", "gap, drifted", "recovered", "labels", "refused", "rolled back", "time"];
  return rowsOf(
    head,
    cells.map((cell) => {
      const { gap, recovered, labels, refusals, rollbacks } = figuresOf(cell);
      const counts = [labels, refusals, rollbacks].map(String);
      const { schedule, arm, seed, seconds } = cell;
      return [schedule, arm, String(seed), points(gap), percent(recovered), ...counts, minutes(seconds)];
    }),
  );
}

function range(values: readonly number[], text: (value: number) => string): string {
  const centre = text(mean(values));
  return values.length < 2 ? centre : `${centre} (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}
