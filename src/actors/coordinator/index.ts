/** The coordinator: drives one run and keeps its record. */
export {
  type Coordinator,
  type CoordinatorOptions,
  createCoordinator,
  type EvaluationRecord,
  type RunRecord,
} from "./coordinator-actor.ts";
export type { RunOutcome } from "./coordinator-machine.ts";
