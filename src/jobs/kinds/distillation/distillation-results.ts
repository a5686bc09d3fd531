/** Content of results.json of a distillation run, phase by phase. */
import type { Progress } from "../../../messages/index.ts";
import type { RunRecord } from "../../../actors/coordinator/index.ts";
import type { SliceDescription } from "../../../compute/index.ts";
import { type DistillationSpec, FEEDER, phasesOf } from "../../../run-spec/index.ts";
import { measuredOutcome, UNMEASURED } from "../../final-evaluation.ts";
import type { JobResults, ResultsContext } from "../../job-kind.ts";
import type { PhaseEnd } from "../../run-parts.ts";
import { round } from "../../text.ts";
import { distillationActors } from "./distillation-plan.ts";

/** Outcome of a run with phases to come: results.json of a process that is killed between two phases. */
const UNFINISHED = "unfinished";

export interface PhaseResult {
  readonly phase: string;
  readonly outcome: string;
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly stepsPerSecond: number;
  /** Accuracy on the validation set, 0 to 1, of the last complete evaluation; null before it. */
  readonly accuracy: number | null;
  /** Share of the samples on which student and teacher agree. */
  readonly agreement?: number | undefined;
  readonly teacherAccuracy?: number | undefined;
  readonly learners: readonly {
    readonly id: string;
    /** Distance to the teacher, mean of the last batch. */
    readonly hintLoss?: number | undefined;
    readonly applied: number;
    readonly skipped: Readonly<Record<string, number>>;
    readonly published: number;
  }[];
  /** Sent for training, by plane. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Samples that the teacher sections answered from their cache, and computed; multiply-accumulates saved. */
  readonly cache: Readonly<Record<string, number>>;
  readonly evaluations: readonly { readonly step: number; readonly accuracy: number; readonly agreement?: number }[];
  /** Changes of the teacher's version. */
  readonly teachers: RunRecord["teachers"];
  readonly backend: string;
}

export interface ModelResult {
  readonly parameters: number;
  /** Multiply-accumulates of one sample's forward. */
  readonly macs: number;
}

export interface DistillationResults extends JobResults {
  readonly teacher: ModelResult;
  readonly student: ModelResult;
  readonly phases: readonly PhaseResult[];
}

export function sizeOf(slices: readonly SliceDescription[]): ModelResult {
  const sum = (of: "parameters" | "macs"): number => slices.reduce((total, slice) => total + slice[of], 0);
  return { parameters: sum("parameters"), macs: sum("macs") };
}

/** One phase. @param samples in the validation set. */
export function phaseResultOf(
  { phase, end, stepsBefore }: PhaseEnd,
  spec: DistillationSpec,
  samples: number,
): PhaseResult {
  const { record } = end;
  const { learners, teachers } = distillationActors(spec, phase);
  const progressOf = (actors: readonly string[]): Progress[] => actors.flatMap((actor) => record.progress[actor] ?? []);
  const { outcome, evaluation } = measuredOutcome(end, samples);
  return {
    phase,
    outcome,
    epochs: record.epochs,
    steps: record.step,
    seconds: round(end.seconds, 3),
    stepsPerSecond: round((record.step - stepsBefore) / Math.max(end.seconds, 1e-9), 3),
    accuracy: evaluation?.accuracy ?? null,
    agreement: evaluation?.agreement,
    teacherAccuracy: evaluation?.teacherAccuracy,
    learners: learners.map((id) => {
      const progress = record.progress[id];
      return {
        id,
        ...(progress?.hintLoss === undefined ? {} : { hintLoss: round(progress.hintLoss, 5) }),
        applied: progress?.applied ?? 0,
        skipped: progress?.skipped ?? {},
        published: progress?.step ?? 0,
      };
    }),
    bytes: sumsOf(progressOf([...learners, ...teachers, FEEDER]).map(({ sentBytes }) => sentBytes)),
    cache: sumsOf(progressOf(teachers).map(({ cache }) => cache ?? {})),
    evaluations: record.evaluations
      .filter((each) => each.samples === samples)
      .map(({ step, accuracy, agreement }) => ({
        step,
        accuracy,
        ...(agreement === undefined ? {} : { agreement }),
      })),
    teachers: record.teachers,
    backend: [...new Set(end.backends.map(({ name }) => name))].join("+") || "unknown",
  };
}

/** @param before content of results.json so far: a repeated phase replaces its result and those after it. */
export function distillationResultsOf(
  ends: readonly PhaseEnd[],
  before: unknown,
  { run, spec, dataset, bus, slices, teacherSlices }: ResultsContext<DistillationSpec>,
): DistillationResults {
  const fresh = ends.map((end) => phaseResultOf(end, spec, dataset.validation.count));
  const known = (before as Partial<DistillationResults> | undefined)?.phases ?? [];
  const order: readonly string[] = phasesOf(spec);
  const first = order.indexOf(fresh[0]?.phase ?? "");
  const phases = [...known.filter(({ phase }) => order.indexOf(phase) < first), ...fresh];
  const last = phases.at(-1);
  return {
    run,
    kind: "distillation",
    outcome: outcomeOf(spec, last),
    accuracy: last?.accuracy ?? null,
    seconds: round(
      phases.reduce((sum, { seconds }) => sum + seconds, 0),
      3,
    ),
    dataset: dataset.fingerprint,
    bus,
    seed: spec.seed,
    teacher: sizeOf(teacherSlices),
    student: sizeOf(slices),
    phases,
  };
}

/** @param last phase that has ended. */
function outcomeOf(spec: DistillationSpec, last: PhaseResult | undefined): string {
  if (last === undefined) return "failed";
  const isOver = last.phase === phasesOf(spec).at(-1) || !["completed", UNMEASURED].includes(last.outcome);
  return isOver ? last.outcome : UNFINISHED;
}

function sumsOf(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, count] of counts.flatMap((each) => Object.entries(each))) sums[key] = (sums[key] ?? 0) + count;
  return sums;
}
