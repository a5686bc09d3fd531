/** Figures as rows of a Markdown table: a row for each number, lists of objects as a table of their own. */

/** A result of plain values; lists of numbers are shown by their first, their largest and their last. */
export function markdownRows(result: unknown): string[] {
  const rows: string[] = ["| figure | value |", "| --- | --- |"];
  const tables: string[] = [];
  const walk = (path: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) {
      if (value.length > 0 && isObject(value[0])) tables.push("", path, "", ...listTable(value as object[]));
      else if (value.length > 0) rows.push(`| ${path} | ${spanOf(value)} |`);
      return;
    }
    if (!isObject(value)) {
      rows.push(`| ${path} | ${text(value)} |`);
      return;
    }
    for (const [key, each] of Object.entries(value)) walk(path === "" ? key : `${path}.${key}`, each);
  };
  walk("", result);
  return [...(rows.length > 2 ? rows : []), ...tables];
}

function listTable(list: readonly object[]): string[] {
  const flat = list.map((each) => flatten(each));
  const names = [...new Set(flat.flatMap((each) => Object.keys(each)))];
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(names), row(names.map(() => "---")), ...flat.map((each) => row(names.map((name) => text(each[name]))))];
}

function flatten(value: object, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]): [string, unknown][] =>
      isObject(each) ? Object.entries(flatten(each, `${prefix}${key}.`)) : [[`${prefix}${key}`, each as unknown]],
    ),
  );
}

function spanOf(values: readonly unknown[]): string {
  const numbers = values.filter((each) => typeof each === "number");
  if (numbers.length === 0) return values.map(text).join(", ");
  return `${text(numbers[0])} first, ${text(Math.max(...numbers))} at most, ${text(numbers.at(-1))} last`;
}

function text(value: unknown): string {
  if (typeof value !== "number") return typeof value === "string" ? value : (JSON.stringify(value) ?? "-");
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
