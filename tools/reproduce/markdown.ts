/** Markdown of all tables of results. Pure. */
import type { Provenance } from "./run-kn.ts";

export function rowsOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Each machine and set of versions once. */
export function machinesOf(cells: readonly Provenance[]): string {
  const lines = new Set(
    cells.map(({ machine, versions }) => {
      const parts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
      return `Machine: ${machine.cpus} cores (${machine.model}), ${machine.memoryGiB} GiB; ${parts.join(", ")}.`;
    }),
  );
  return [...lines].join("\n");
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Lowest to highest, and the standard deviation of the sample. */
export function spreadOf(values: readonly number[]): string {
  if (values.length < 2) return "-";
  const centre = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
  return `${percent(Math.min(...values))} to ${percent(Math.max(...values))}, sd ${(100 * deviation).toFixed(2)}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** A difference of shares, in points, with its sign. */
export function points(difference: number): string {
  return `${difference >= 0 ? "+" : ""}${(100 * difference).toFixed(2)}`;
}

export function minutes(seconds: number): string {
  return `${(seconds / 60).toFixed(1)} min`;
}
