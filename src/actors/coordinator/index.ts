/** The coordinator: drives one run and keeps its record. */
export { type Coordinator, createCoordinator } from "./coordinator-actor.ts";
export type { RunOutcome } from "./coordinator-lifecycle.ts";
export type { CoordinatorDeps, CoordinatorOptions } from "./coordinator-options.ts";
export type { EvaluationRecord, RunRecord, SwitchRecord } from "./coordinator-state.ts";
