/** The comparison as a Markdown table: a row per setting and arm, missing cells are marked. Pure. */
import { machinesOf, mean, minutes, percent, points, rowsOf, spreadOf } from "../markdown.ts";
import { studentKeys, type TransferExperiment } from "./settings.ts";
import type { Arm, TransferCell } from "./transfer-cell.ts";

export interface TransferTableOptions {
  readonly experiment: TransferExperiment;
  readonly seeds: number;
  readonly cells: readonly TransferCell[];
  /** Path of the picture from the document. */
  readonly plot: string;
}

/** In the order of the table. */
const ARMS = ["alone", "logits", "sections", "transfer"] as const;

export function transferTable({ experiment, seeds, cells, plot }: TransferTableOptions): string {
  const sizes = cells.find((cell) => cell.sizes !== undefined)?.sizes;
  const teacher = armsOf(cells, "all", "teacher");
  const rows: string[][] = [rowOf({ name: "teacher", setting: "all", of: teacher, wanted: 1, size: sizes?.teacher })];
  for (const setting of ["all", "few"] as const) {
    const wanted = studentKeys(experiment, seeds).filter((key) => key.setting === setting);
    const alone = armsOf(cells, setting, "alone");
    for (const name of ARMS) {
      const runs = wanted.filter(({ run }) => (name === "logits" ? run === "logits" : run === "transfer")).length;
      if (runs === 0) continue;
      const of = armsOf(cells, setting, name);
      rows.push(rowOf({ name, setting, of, wanted: runs, size: sizes?.student, teacher, alone }));
    }
  }

  function rowOf(row: Row): string[] {
    const { name, setting, of, wanted, size } = row;
    const tested = of.flatMap(({ test }) => (test === undefined ? [] : [test]));
    const labels = String(name === "teacher" ? experiment.labels.all : experiment.labels[setting]);
    if (of.length === 0) return [labels, name, `0 of ${wanted}`, "missing", ...Array<string>(8).fill("-")];
    const held = mean(of.map(({ heldOut }) => heldOut));
    const against = (others: readonly Arm[] | undefined): string =>
      others === undefined || others.length === 0 || name === "alone"
        ? "-"
        : points(held - mean(others.map(({ heldOut }) => heldOut)));
    return [
      labels,
      name,
      `${of.length} of ${wanted}`,
      percent(held),
      spreadOf(of.map(({ heldOut }) => heldOut)),
      tested.length === 0 ? "-" : percent(mean(tested)),
      spreadOf(tested),
      name === "alone" ? points(held - mean((row.teacher ?? []).map(({ heldOut }) => heldOut))) : against(row.teacher),
      against(row.alone),
      size === undefined ? "-" : `${(size.parameters / 1e6).toFixed(2)} M`,
      size === undefined ? "-" : `${(size.macs / 1e6).toFixed(1)} M`,
      minutes(mean(of.map(({ seconds }) => seconds))),
    ];
  }

  const head = [
    "labels",
    "arm",
    "seeds",
    "held out (mean)",
    "spread",
    "test (mean)",
    "spread",
    "to teacher",
    "to alone",
    "parameters",
    "MACs",
    "time",
  ];
  const sections = [
    `# ${experiment.title}`,
    experiment.introduction,
    rowsOf(head, rows),
    "Differences are of the means on the held-out images, in points. Times are of a machine that is shared with other work.",
    `![Accuracy against parameters and against labels](${plot})`,
    "## Runs",
    rowsOf(
      ["labels", "run", "seed", "arms (held out / test)", "teacher computed / kept", "finished", "command"],
      cells.map(({ setting, run, seed, arms, batches, finishedAt, command }) => [
        setting,
        run,
        String(seed),
        arms
          .map(({ name, heldOut, test }) => `${name} ${percent(heldOut)} / ${test === undefined ? "-" : percent(test)}`)
          .join("; "),
        `${batches.computed} / ${batches.kept}`,
        finishedAt.slice(0, 16).replace("T", " "),
        `\`${command}\``,
      ]),
    ),
    machinesOf(cells),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

interface Row {
  readonly name: Arm["name"];
  readonly setting: TransferCell["setting"];
  readonly of: readonly Arm[];
  readonly wanted: number;
  readonly size: { readonly parameters: number; readonly macs: number } | undefined;
  readonly teacher?: readonly Arm[];
  readonly alone?: readonly Arm[];
}

/** That arm of every finished seed. */
export function armsOf(cells: readonly TransferCell[], setting: TransferCell["setting"], name: Arm["name"]): Arm[] {
  return cells
    .filter((cell) => cell.setting === setting)
    .flatMap(({ arms }) => arms.filter((arm) => arm.name === name));
}
