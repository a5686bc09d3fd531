/**
 * Jobs: from the spec of a run to its actors, its progress and its results, on any bus and store.
 *
 * @example
 * const run = createPhaseRun({ name, spec, ...(await describeSlices(spec)), phase, attempt: 1, backend, softwareVersion
 * },
 *   { bus, store, clock, log, dataset });
 * await run.start();
 * const { outcome, record } = await run.ended;
 */
export { checkBus, checkFrames } from "./check-frames.ts";
export { describeSlices } from "./describe-slices.ts";
export { UNMEASURED } from "./final-evaluation.ts";
export type { JobKind, JobResults, JobView, ResultsContext } from "./job-kind.ts";
export { jobKindOf } from "./kinds/index.ts";
export { createPhaseRun, type PhaseRun, type PhaseRunDeps, type PhaseRunOptions } from "./phase-run.ts";
export { createRunMonitor, type MonitorFigures, type RunMonitor } from "./run-monitor.ts";
export type { PhaseEnd, PhaseRunEnd, RunActors, RunPlan, RunSlices } from "./run-parts.ts";
export { actorsOf, phasesOfRun, type PhaseStart, planOf, startAfter } from "./run-plan.ts";
export type { TextTable } from "./text.ts";
