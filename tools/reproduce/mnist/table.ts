/** Finished cells as a Markdown table: a row per setting and source, missing cells are marked. Pure. */
import { machinesOf, mean, minutes, percent, points, rowsOf, spreadOf } from "../markdown.ts";
import type { Cell, CellKey } from "./mnist-cell.ts";

export interface TableOptions {
  readonly title: string;
  /** Said between the title and the table. */
  readonly introduction: string;
  /** Every cell that the table is about, finished or not. */
  readonly wanted: readonly CellKey[];
  readonly cells: readonly Cell[];
  /** Source that the others are compared with. */
  readonly baseline: string;
  /** Figures of others, as rows. */
  readonly references: readonly { readonly name: string; readonly accuracy: number; readonly note: string }[];
  /** Pictures, by the path from the document. */
  readonly plots: readonly { readonly path: string; readonly caption: string }[];
}

export function markdownTable(options: TableOptions): string {
  const { title, introduction, wanted, cells, baseline, references, plots } = options;
  const groups = groupsOf(wanted);
  const find = (key: CellKey): Cell | undefined =>
    cells.find(
      (cell) =>
        cell.experiment === key.experiment &&
        cell.variant === key.variant &&
        cell.source === key.source &&
        cell.seed === key.seed &&
        cell.epochs === key.epochs,
    );
  const rows = groups.map(({ variant, source, keys }) => {
    const done = keys.map(find).filter((cell) => cell !== undefined);
    const base = groups.find((group) => group.variant === variant && group.source === baseline);
    const same = base?.keys.map(find).filter((cell) => cell !== undefined) ?? [];
    return [
      variant,
      `\`${source}\``,
      `${done.length} of ${keys.length}`,
      ...(done.length === 0
        ? ["missing", "-", "-", "-", "-", "-"]
        : [
            percent(mean(done.map(({ accuracy }) => accuracy))),
            spreadOf(done.map(({ accuracy }) => accuracy)),
            done.length > 0 && same.length > 0 && source !== baseline
              ? points(mean(done.map(({ accuracy }) => accuracy)) - mean(same.map(({ accuracy }) => accuracy)))
              : "-",
            mean(done.map(({ stepsPerSecond }) => stepsPerSecond)).toFixed(1),
            `${(mean(done.map(({ bytesPerStep }) => bytesPerStep)) / 2 ** 20).toFixed(2)} MiB`,
            minutes(mean(done.map(({ seconds }) => seconds))),
          ]),
    ];
  });
  const skipped = cells.reduce(
    (sum, { accounting }) =>
      sum + accounting.reduce((inner, each) => inner + Object.values(each.skipped).reduce((a, b) => a + b, 0), 0),
    0,
  );
  const sections = [
    `# ${title}`,
    introduction,
    rowsOf(
      [
        "setting",
        "gradient source",
        "seeds",
        "accuracy (mean)",
        "spread",
        `to \`${baseline}\``,
        "steps/s",
        "bytes/step",
        "time",
      ],
      [
        ...rows,
        ...references.map(({ name, accuracy, note }) => ["-", name, "-", percent(accuracy), "-", "-", "-", "-", note]),
      ],
    ),
    `Accounting: in every cell and block applied + skipped = published; ${skipped} batches were skipped in all ${cells.length} cells.`,
    ...plots.map(({ path, caption }) => `![${caption}](${path})\n\n${caption}`),
    "## Cells",
    rowsOf(
      ["setting", "source", "seed", "epochs", "accuracy", "time", "finished", "command"],
      cells.map((cell) => [
        cell.variant,
        `\`${cell.source}\``,
        String(cell.seed),
        String(cell.epochs),
        percent(cell.accuracy),
        minutes(cell.seconds),
        cell.finishedAt.slice(0, 16).replace("T", " "),
        `\`${cell.command}\``,
      ]),
    ),
    machinesOf(cells),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

interface Group {
  readonly variant: string;
  readonly source: string;
  readonly keys: readonly CellKey[];
}

function groupsOf(wanted: readonly CellKey[]): Group[] {
  const groups = new Map<string, { variant: string; source: string; keys: CellKey[] }>();
  for (const key of [...wanted].sort((a, b) => (a.variant < b.variant ? -1 : a.variant > b.variant ? 1 : 0))) {
    const name = `${key.variant} ${key.source}`;
    const group = groups.get(name) ?? { variant: key.variant, source: key.source, keys: [] };
    group.keys.push(key);
    groups.set(name, group);
  }
  return [...groups.values()];
}
