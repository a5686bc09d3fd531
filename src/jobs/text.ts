/** Figures as text for a reader, and tables of them. Apps choose how a table is drawn. Pure. */

export interface TextTable {
  /** Column titles. Absent: each row is a title and its value. */
  readonly head?: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** 1234567 as "1.18 MiB". */
export function bytesText(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB"];
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 2 : 0)} ${units[unit]}`;
}

/** 0.9123 as "91.23 %"; "-" for a share that was not measured. */
export function percentText(share: number | null | undefined, digits = 2): string {
  return share === undefined || share === null ? "-" : `${(100 * share).toFixed(digits)} %`;
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Rounds a measured figure for results.json. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
