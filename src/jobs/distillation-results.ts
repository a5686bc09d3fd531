/** What a distillation run leaves behind: results.json, phase by phase. */
import type { RunRecord } from "../actors/coordinator/index.ts";
import type { SliceDescription } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { type DistillationSpec, FEEDER, phasesOf } from "../run-spec/index.ts";
import type { PhaseRunEnd } from "./phase-run.ts";
import { actorsOf, type RunPhase, type RunSlices } from "./run-plan.ts";

/** Outcome of a run with more phases to come: whoever is killed between two of them leaves this behind. */
const UNFINISHED = "unfinished";

export interface PhaseResult {
  readonly phase: string;
  readonly outcome: string;
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly stepsPerSecond: number;
  /** Share of the validation set, 0 to 1, of the last whole evaluation; null before it. */
  readonly accuracy: number | null;
  /** Share of which student and teacher say the same. */
  readonly agreement?: number | undefined;
  readonly teacherAccuracy?: number | undefined;
  readonly learners: readonly {
    readonly id: string;
    /** Mean of the last batch, against the teacher. */
    readonly hintLoss?: number | undefined;
    readonly applied: number;
    readonly skipped: Readonly<Record<string, number>>;
    readonly published: number;
  }[];
  /** Sent for training, by plane. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Samples that the teacher's sections answered from what was kept, and computed; multiply-accumulates saved. */
  readonly cache: Readonly<Record<string, number>>;
  readonly evaluations: readonly { readonly step: number; readonly accuracy: number; readonly agreement?: number }[];
  /** Moves to another version of the teacher. */
  readonly teachers: RunRecord["teachers"];
  readonly backend: string;
}

export interface ModelResult {
  readonly parameters: number;
  /** Multiply-accumulates of one sample's forward. */
  readonly macs: number;
}

export interface DistillationResults {
  readonly run: string;
  readonly kind: "distillation";
  readonly outcome: string;
  /** Of the last phase. */
  readonly accuracy: number | null;
  readonly seconds: number;
  readonly dataset: string;
  readonly bus: string;
  readonly seed: number;
  readonly teacher: ModelResult;
  readonly student: ModelResult;
  readonly phases: readonly PhaseResult[];
}

export function sizeOf(slices: readonly SliceDescription[]): ModelResult {
  const sum = (of: "parameters" | "macs"): number => slices.reduce((total, slice) => total + slice[of], 0);
  return { parameters: sum("parameters"), macs: sum("macs") };
}

export interface PhaseContext {
  readonly spec: DistillationSpec;
  readonly dataset: Dataset;
  readonly phase: RunPhase;
  /** Steps of this phase done before this process took the run up. */
  readonly stepsBefore: number;
}

export function phaseResultOf(end: PhaseRunEnd, { spec, dataset, phase, stepsBefore }: PhaseContext): PhaseResult {
  const { record } = end;
  const { learners, others } = actorsOf(spec, phase);
  const whole = record.evaluations.filter(({ samples }) => samples === dataset.validation.count);
  const last = whole.at(-1);
  const bytes: Record<string, number> = {};
  for (const actor of [...learners, ...others, FEEDER]) {
    for (const [plane, sent] of Object.entries(record.progress[actor]?.sentBytes ?? {})) {
      bytes[plane] = (bytes[plane] ?? 0) + sent;
    }
  }
  const cache: Record<string, number> = {};
  for (const actor of others) {
    for (const [figure, count] of Object.entries(record.progress[actor]?.cache ?? {})) {
      cache[figure] = (cache[figure] ?? 0) + count;
    }
  }
  return {
    phase,
    outcome: end.outcome,
    epochs: record.epochs,
    steps: record.step,
    seconds: round(end.seconds, 3),
    stepsPerSecond: round((record.step - stepsBefore) / Math.max(end.seconds, 1e-9), 3),
    accuracy: last?.accuracy ?? null,
    agreement: last?.agreement,
    teacherAccuracy: last?.teacherAccuracy,
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
    bytes,
    cache,
    evaluations: whole.map(({ step, accuracy, agreement }) => ({
      step,
      accuracy,
      ...(agreement === undefined ? {} : { agreement }),
    })),
    teachers: record.teachers,
    backend: [...new Set(end.backends.map(({ name }) => name))].join("+") || "unknown",
  };
}

export interface DistillationContext extends RunSlices {
  readonly run: string;
  readonly spec: DistillationSpec;
  readonly dataset: Dataset;
  readonly bus: string;
}

/** @param before what the run has left already: a phase that comes again takes its place. */
export function distillationResultsOf(
  phases: readonly PhaseResult[],
  before: readonly PhaseResult[],
  { run, spec, dataset, bus, slices, teacherSlices }: DistillationContext,
): DistillationResults {
  const fresh = new Set(phases.map(({ phase }) => phase));
  const all = [...before.filter(({ phase }) => !fresh.has(phase)), ...phases];
  const last = all.at(-1);
  const isLast = last?.phase === phasesOf(spec).at(-1);
  return {
    run,
    kind: "distillation",
    outcome: isLast || last?.outcome !== "completed" ? (last?.outcome ?? "failed") : UNFINISHED,
    accuracy: last?.accuracy ?? null,
    seconds: round(
      all.reduce((sum, { seconds }) => sum + seconds, 0),
      3,
    ),
    dataset: dataset.fingerprint,
    bus,
    seed: spec.seed,
    teacher: sizeOf(teacherSlices),
    student: sizeOf(slices),
    phases: all,
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
