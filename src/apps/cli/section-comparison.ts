/** Shows teacher and student side by side, section by section. */
import { compareSections, type Comparison } from "../../jobs/kinds/distillation/section-comparison.ts";
import type { Terminal } from "./terminal.ts";
import { drawTable } from "./text-table.ts";

export function showComparison(comparison: Comparison, isJson: boolean, terminal: Terminal): void {
  const { json, table } = compareSections(comparison);
  terminal.write(isJson ? JSON.stringify(json, undefined, 2) : drawTable(table));
}
