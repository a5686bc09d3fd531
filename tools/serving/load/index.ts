/**
 * Load for a served model: open-loop, in a process of its own, every answer checked, nothing repeated.
 *
 * Requests are sent at the times of a seeded Poisson process, whatever the server does; latency counts from the time at
 * which a request was to be sent. So a server that stalls for a second shows it in every request of that second.
 *
 * @example
 * const load = startLoad({ target: { kind: "http", url, model: "digits" }, images, seed: 1, warmUpMs: 1_000,
 *   durationMs: 10_000, streams: [{ name: "interactive", ratePerSecond: 300 }] });
 * load.mark("swap"); // at any time
 * const report = await reportOf(await load.ended, { expected });
 * console.log(report.total.latencyMs.p99, report.total.outcomes);
 */
export type { Expected, Verdict } from "./verify-answers.ts";
export { type LoadReport, percentilesOf, type Percentiles, reportOf, type StreamReport } from "./report.ts";
export { isFailure, OUTCOMES, type Outcome } from "./outcome.ts";
export type { LoadImages, LoadOptions, LoadStream, LoadTarget } from "./load-options.ts";
export type { LoadRecords, LoadResult, Mark } from "./load-records.ts";
export { monotonicMs } from "./monotonic.ts";
export { runLoad, type RunningLoad, startLoad } from "./run-load.ts";
