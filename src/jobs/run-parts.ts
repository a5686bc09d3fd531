/** Values that describe a run and its phases, shared by all job kinds. */
import type { RunOutcome, RunRecord } from "../actors/coordinator/index.ts";
import type { BackendInfo, SliceDescription } from "../compute/index.ts";
import type { SavedAt } from "../runtime/artifacts/index.ts";
import type { RunPhase, RunSpec } from "../run-spec/index.ts";

/** An actor answers within this, ms: wasm compiles, disks are slow, nodes restart. */
const READY_MS = 60_000;
/** State that is read before an actor answers: weights and two moments of the optimizer, f32. */
const STATE_BYTES_PER_PARAMETER = 12;
/** Slowest link and disk that a start is planned for: 1 MB/s. */
const SLOWEST_BYTES_PER_MS = 1_000;

/** Deadline of an actor's answer, ms: all actors of a run may start behind one link. */
export function readyDeadlineOf({ slices, teacherSlices }: RunSlices): number {
  const parameters = [...slices, ...teacherSlices].reduce((sum, slice) => sum + slice.parameters, 0);
  return READY_MS + (parameters * STATE_BYTES_PER_PARAMETER) / SLOWEST_BYTES_PER_MS;
}

/** Shapes and sizes of the models of a run, cut into slices. */
export interface RunSlices {
  /** Blocks of the network, or sections of the student. */
  readonly slices: readonly SliceDescription[];
  /** Sections of the teacher; empty for a job without a teacher. */
  readonly teacherSlices: readonly SliceDescription[];
}

/** One phase of a run, on which all its participants agree. */
export interface RunPlan extends RunSlices {
  /** Name of the run: a subject token. */
  readonly run: string;
  readonly spec: RunSpec;
  readonly phase: RunPhase;
  /** Fingerprint of the data. */
  readonly dataset: string;
  /** Training steps of the phase. */
  readonly totalSteps: number;
  /** Sequence number before the first one of the phase. */
  readonly startAfter: number;
  /** Attempt of its checkpoints. */
  readonly attempt: number;
  /** Checkpoint whose weights the phase begins with. */
  readonly from: SavedAt | undefined;
}

/** Ids of the actors of one phase, by role. */
export interface RunActors {
  /** Train on the batches, in the order of the network: blocks or student sections. Have a checkpoint. */
  readonly learners: readonly string[];
  /** Outside the flow of batches. Have a checkpoint. */
  readonly gradientModels: readonly string[];
  /** Teacher sections. Have no checkpoint. */
  readonly teachers: readonly string[];
  /** All of these and the feeder, in start order: an actor starts after those it queries. */
  readonly all: readonly string[];
}

/** Outcome of one phase in one process, or of one phase of a fleet run. */
export interface PhaseRunEnd {
  readonly outcome: RunOutcome;
  readonly error?: Error;
  readonly record: RunRecord;
  /** Backend of each learner. */
  readonly backends: readonly BackendInfo[];
  /** From the first batch to the last checkpoint, seconds. */
  readonly seconds: number;
}

/** An ended phase and its place in the run. */
export interface PhaseEnd {
  readonly phase: RunPhase;
  readonly end: PhaseRunEnd;
  /** Steps of the phase before this process took it up. */
  readonly stepsBefore: number;
  /** Of the first batch, ms since 1970. */
  readonly startedMs: number;
}
