/** The coordinator: drives one run and keeps its record. */
export {
  type Coordinator,
  type CoordinatorDeps,
  type CoordinatorOptions,
  createCoordinator,
  type EvaluationRecord,
  type RunRecord,
  type SwitchRecord,
} from "./coordinator-actor.ts";
export type { RunOutcome } from "./coordinator-machine.ts";
