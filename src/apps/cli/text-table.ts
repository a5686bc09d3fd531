/** Draws a table of text in the terminal. */
import Table from "cli-table3";
import type { TextTable } from "../../jobs/text.ts";

export function drawTable(
  { head, rows }: TextTable,
  { isCompact = false }: { readonly isCompact?: boolean } = {},
): string {
  const table = new Table({ head: [...(head ?? [])], style: { head: [], border: [], compact: isCompact } });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** Lines and tables, one below the other. */
export function drawText(parts: readonly (string | TextTable)[]): string {
  return parts.map((part) => (typeof part === "string" ? part : drawTable(part))).join("\n");
}
