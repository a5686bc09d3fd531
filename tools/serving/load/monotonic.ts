import process from "node:process";

/** The machine's monotonic clock, ms: the same in every process of the machine, unlike `performance.now()`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
