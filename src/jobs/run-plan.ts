/** The plan of a run that follows from its spec: phases, actors, batches. */
import type { FeedingPlan } from "../actors/feeder/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Manifest } from "../runtime/artifacts/index.ts";
import type { RunPhase, RunSpec } from "../run-spec/index.ts";
import type { JobKind, LearnerView } from "./job-kind.ts";
import { jobKindOf } from "./kinds/index.ts";
import type { RunActors } from "./run-parts.ts";

export { readyDeadlineOf, type RunActors, type RunPlan, type RunSlices } from "./run-parts.ts";

/** The phases of a run, in order. */
export function phasesOfRun(spec: RunSpec): readonly RunPhase[] {
  return jobKindOf(spec).phases(spec);
}

/** The phase that follows. @returns undefined for the last one. */
export function phaseAfter(spec: RunSpec, phase: RunPhase): RunPhase | undefined {
  const phases = phasesOfRun(spec);
  return phases[phases.indexOf(phase) + 1];
}

/** Actors of one phase. */
export function actorsOf(spec: RunSpec, phase: RunPhase): RunActors {
  return jobKindOf(spec).actors(spec, phase);
}

/** Batches of one phase. @throws RangeError for a job kind without a feeder. */
export function planOf(spec: RunSpec, dataset: Dataset, phase: RunPhase): FeedingPlan {
  const { kind, feeding } = jobKindOf(spec);
  if (feeding === undefined) throw new RangeError(`a ${kind} job has no feeder`);
  return feeding.plan(spec, dataset, phase);
}

/** Point at which a run starts or resumes. */
export interface PhaseStart {
  readonly phase: RunPhase;
  readonly attempt: number;
  /** Its initial checkpoint: of this phase, or of the one whose weights it takes over. */
  readonly from: Manifest | undefined;
}

/**
 * @param newest newest loadable checkpoint of the run; undefined: there is none.
 * @param kind job kind of the spec.
 * @returns undefined when the run is complete.
 */
export function startAfter(
  spec: RunSpec,
  dataset: Dataset,
  newest: Manifest | undefined,
  kind: JobKind = jobKindOf(spec),
): PhaseStart | undefined {
  const phases = kind.phases(spec);
  const attempt = (newest?.attempt ?? 0) + 1;
  const position = phases.findIndex((phase) => phase === newest?.phase);
  const current = phases[position];
  if (current !== undefined && newest !== undefined) {
    const plan = kind.feeding?.plan(spec, dataset, current);
    if (plan === undefined || newest.epoch < epochsOf(plan)) return { phase: current, attempt, from: newest };
  }
  const phase = phases[position + 1];
  if (phase === undefined) return undefined;
  return { phase, attempt, from: kind.takesOver(phase, current) ? newest : undefined };
}

/** Whether a phase begins with the weights of the one before. */
export function takesOver(spec: RunSpec, phase: RunPhase, before: RunPhase): boolean {
  return jobKindOf(spec).takesOver(phase, before);
}

/** Epochs of one phase, by its own plan. */
export function epochsOf(plan: FeedingPlan): number {
  return plan.epochsAt(plan.lastSequence);
}

/** The learners of one phase as an app shows them. */
export interface ShownLearners {
  readonly ids: readonly string[];
  /** "4 blocks". */
  readonly text: string;
  readonly view: LearnerView;
}

export function shownLearners(spec: RunSpec, phase: RunPhase): ShownLearners {
  const { view } = jobKindOf(spec);
  const actors = actorsOf(spec, phase);
  return { ids: actors.learners, text: view.describeLearners(actors), view: view.learner(spec, phase) };
}
