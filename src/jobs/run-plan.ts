/** What follows from a run's spec: its phases, and for each the actors and what they are fed. */
import { createFeedingPlan, type FeedingPlan } from "../actors/feeder/index.ts";
import { GRADIENT_SOURCE_TRAITS, type SliceDescription } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Manifest, SavedAt } from "../runtime/artifacts/index.ts";
import {
  BASELINE,
  blockActor,
  boundariesOf,
  type DistillationSpec,
  FEEDER,
  gradientActor,
  type PhaseName,
  phasesOf,
  type RunSpec,
  STUDENT,
  studentActor,
  teacherActor,
  type TrainingSpec,
} from "../run-spec/index.ts";

/** How long the actors may take to answer for the first time, ms: wasm compiles, disks are slow, nodes restart. */
export const READY_DEADLINE_MS = 60_000;

/** The only phase of a training run. */
export const TRAINING = "training";
export type RunPhase = typeof TRAINING | PhaseName;

/** What the models of a run look like once they are cut. */
export interface RunSlices {
  /** Blocks of the network, or sections of the student. */
  readonly slices: readonly SliceDescription[];
  /** Sections of the teacher; none in a training run. */
  readonly teacherSlices: readonly SliceDescription[];
}

/** What all who take part in a phase of a run must agree on. */
export interface RunPlan extends RunSlices {
  /** Name of the run: a subject token. */
  readonly run: string;
  readonly spec: RunSpec;
  /** Fingerprint of the data set. */
  readonly dataset: string;
  readonly phase: RunPhase;
  /** Training steps of the phase, and the sequence after which it begins. */
  readonly totalSteps: number;
  readonly startAfter: number;
  /** Timeline of its checkpoints, and what it began with. */
  readonly timeline: number;
  readonly from: SavedAt | undefined;
}

export interface RunActors {
  /** Who learns from the batches: blocks, or student sections. */
  readonly learners: readonly string[];
  /** Who has a state too, and takes no part in the flow: gradient models. */
  readonly companions: readonly string[];
  /** Who has no state: teacher sections. */
  readonly others: readonly string[];
  /** All of these and the feeder, in the order of starting: who is asked before who asks. */
  readonly all: readonly string[];
}

/** The phases that a run goes through, in order. */
export function phasesOfRun(spec: RunSpec): readonly RunPhase[] {
  return spec.kind === "training" ? [TRAINING] : phasesOf(spec);
}

/** Actors of one phase. */
export function actorsOf(spec: RunSpec, phase: RunPhase): RunActors {
  if (spec.kind === "training") {
    const boundaries = boundariesOf(spec);
    const learners = Array.from({ length: boundaries.length + 1 }, (_, index) => blockActor(index));
    const companions = boundaries
      .filter(({ source }) => GRADIENT_SOURCE_TRAITS[source].hasGradientModel)
      .map(({ index }) => gradientActor(index));
    return { learners, companions, others: [], all: [...companions, ...learners, FEEDER] };
  }
  const sections = spec.student.model.cuts.length + 1;
  const indices = Array.from({ length: sections }, (_, index) => index);
  const learners =
    phase === "sections" ? indices.map((index) => studentActor(index)) : [phase === "baseline" ? BASELINE : STUDENT];
  const others =
    phase === "baseline"
      ? []
      : indices.flatMap((index) =>
          Array.from({ length: spec.teacher.replicas }, (_, replica) => teacherActor(index, replica)),
        );
  return { learners, companions: [], others, all: [...others, ...learners, FEEDER] };
}

/** What is fed in one phase. Sequences go on from phase to phase, so that a message of one is nothing in the next. */
export function planOf(spec: RunSpec, dataset: Dataset, phase: RunPhase): FeedingPlan {
  return spec.kind === "training" ? planOfTraining(spec, dataset) : planOfDistillation(spec, dataset, phase);
}

/** Where a run goes on. */
export interface PhaseStart {
  readonly phase: RunPhase;
  readonly timeline: number;
  /** What it begins with: of this phase, or of the one whose outcome it takes over. */
  readonly from: Manifest | undefined;
}

/** @param newest whole checkpoint of the run, if any. @returns undefined when the run is complete. */
export function startAfter(spec: RunSpec, dataset: Dataset, newest: Manifest | undefined): PhaseStart | undefined {
  const phases = phasesOfRun(spec);
  const timeline = (newest?.timeline ?? 0) + 1;
  const position = newest === undefined ? -1 : phases.indexOf(newest.phase as RunPhase);
  const current = phases[position];
  if (current !== undefined && newest !== undefined && newest.epoch < epochsOf(planOf(spec, dataset, current))) {
    return { phase: current, timeline, from: newest };
  }
  const phase = phases[position + 1];
  if (phase === undefined) return undefined;
  return { phase, timeline, from: takesOver(phase, current) ? newest : undefined };
}

/** The whole student begins with its sections. */
export function takesOver(phase: RunPhase, before: RunPhase | undefined): boolean {
  return phase === "finetune" && before === "sections";
}

/** Epochs of one phase, by its own plan. */
export function epochsOf(plan: FeedingPlan): number {
  return plan.epochsAt(plan.lastSequence);
}

function planOfTraining(spec: TrainingSpec, dataset: Dataset): FeedingPlan {
  const { training } = spec;
  return createFeedingPlan({
    ...sharedOf(spec, dataset),
    batchSize: training.batchSize,
    epochs: training.epochs,
    trainingSamples: dataset.train.count,
  });
}

function planOfDistillation(spec: DistillationSpec, dataset: Dataset, phase: RunPhase): FeedingPlan {
  const phases = phasesOf(spec);
  const position = phases.indexOf(phase as PhaseName);
  if (position < 0) throw new RangeError(`${spec.name} has no phase ${phase}`);
  const before = phases[position - 1];
  const shared = {
    ...sharedOf(spec, dataset),
    batchSize: spec.batchSize,
    startAfter: before === undefined ? 0 : planOfDistillation(spec, dataset, before).lastSequence,
  };
  const { count } = dataset.train;
  if (phase === "baseline") {
    // Alone it has only what is labelled, and sees that more often: as many steps as the others.
    const trainingSamples = Math.min(count, spec.data.labelled ?? count);
    const [all, own] = [count, trainingSamples].map((samples) => Math.floor(samples / spec.batchSize));
    return createFeedingPlan({
      ...shared,
      trainingSamples,
      epochs: spec.sections.epochs + spec.finetune.epochs,
      passesPerEpoch: Math.max(1, Math.round((all ?? 1) / Math.max(1, own ?? 1))),
    });
  }
  if (phase === "sections") {
    return createFeedingPlan({ ...shared, trainingSamples: count, epochs: spec.sections.epochs });
  }
  return createFeedingPlan({
    ...shared,
    trainingSamples: count,
    epochs: spec.finetune.epochs,
    recalibrateBatches: before === "sections" ? spec.finetune.recalibrate : 0,
  });
}

function sharedOf({ evaluation, seed, data }: RunSpec, dataset: Dataset) {
  return {
    seed,
    testSamples: dataset.validation.count,
    evaluationSamples: evaluation.samples,
    evaluationBatchSize: evaluation.batchSize,
    ...(evaluation.everySteps === undefined ? {} : { evaluateEverySteps: evaluation.everySteps }),
    ...(data.augmentation === undefined ? {} : { augmentation: data.augmentation }),
  };
}
