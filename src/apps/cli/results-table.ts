/** The table at the end of a run. */
import Table from "cli-table3";
import type { RunResults } from "../../jobs/results.ts";

export function resultsTable(results: RunResults): string {
  const summary = new Table({ style: { head: [], border: [] } });
  const accuracy = results.accuracy === null ? "not measured" : `${(100 * results.accuracy).toFixed(2)} %`;
  summary.push(
    { accuracy },
    { "wall time": `${results.seconds.toFixed(1)} s` },
    { speed: `${results.stepsPerSecond.toFixed(2)} steps/s, ${results.steps} steps, ${results.epochs} epochs` },
    { backend: results.backend },
    { data: results.dataset },
    { bus: results.bus },
    { seed: String(results.seed) },
  );
  const boundaries = new Table({
    head: ["boundary", "after", "shape", "gradient source", "bytes/step forward", "back", "M cosine", "M staleness"],
    style: { head: [], border: [] },
  });
  for (const each of results.boundaries) {
    boundaries.push([
      String(each.index),
      each.after,
      `[${each.shape.join(", ")}]`,
      each.source,
      bytes(each.activationBytesPerStep),
      bytes(each.gradientBytesPerStep),
      each.cosine === undefined ? "-" : each.cosine.toFixed(2),
      each.stalenessSteps === undefined ? "-" : `${each.stalenessSteps} steps`,
    ]);
  }
  return results.boundaries.length === 0 ? summary.toString() : `${summary.toString()}\n${boundaries.toString()}`;
}

/** 1234567 as "1.18 MiB". */
export function bytes(count: number): string {
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
