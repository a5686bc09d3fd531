/**
 * A job kind is one object: all that differs between the kinds of runs. The rest of the system (the composer, one phase
 * in this process, the fleet, the command line) asks it and never looks at `spec.kind` itself.
 *
 * A new kind is a schema in src/run-spec/spec-kinds.ts, a folder in src/jobs/kinds with its `JobKind`, and an entry in
 * src/jobs/kinds/index.ts. A kind that feeds no batches (serving) leaves `feeding` out; one that learns from no teacher
 * leaves `teaching` out.
 */
import type { FeederActorOptions, FeedingPlan } from "../actors/feeder/index.ts";
import type { SliceDescription } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import type { ModelSpec, RunPhase, RunSpec, SpecKind, TeacherSpec } from "../run-spec/index.ts";
import type { ComposeContext, KindComposer } from "./composer.ts";
import type { MonitorFigures } from "./run-monitor.ts";
import type { PlannedFrame } from "./planned-frame.ts";
import type { PhaseEnd, RunActors, RunSlices } from "./run-parts.ts";
import type { TextTable } from "./text.ts";

/**
 * @typeParam S spec of the kind
 * @typeParam R content of its results.json
 */
export interface JobKind<S extends RunSpec = RunSpec, R extends JobResults = JobResults> {
  readonly kind: SpecKind;
  /** The network that the run produces. */
  modelOf(spec: S): ModelSpec;
  /**
   * Shapes and sizes of the models once they are cut. `describe` computes those of one model.
   * Rejects with KN_CONFIG or KN_SHAPE when the models of the spec do not fit together.
   */
  slices(spec: S, describe: (model: ModelSpec) => Promise<SliceDescription[]>): Promise<RunSlices>;
  /** Every frame that the run sends, for training and evaluation, forward and backward. */
  frames(spec: S, slices: RunSlices): readonly PlannedFrame[];
  /** Phases of the run, in order. */
  phases(spec: S): readonly RunPhase[];
  /** Whether a phase begins with the weights of the one before. */
  takesOver(phase: RunPhase, before: RunPhase | undefined): boolean;
  actors(spec: S, phase: RunPhase): RunActors;
  /** The batches of each phase. Absent: the kind has no feeder, and its phases end only when the run is stopped. */
  readonly feeding?: Feeding<S>;
  /** How each actor but the feeder is made. */
  compose(spec: S, context: ComposeContext): KindComposer;
  /** Absent: the kind has no teacher. */
  readonly teaching?: Teaching<S>;
  /** @param before content of results.json so far; undefined: there is none. */
  results(ends: readonly PhaseEnd[], before: unknown, context: ResultsContext<S>): R;
  readonly view: JobView<S, R>;
}

export interface Feeding<S> {
  /** Batches of one phase. Sequence numbers continue from phase to phase, so none is used twice in a run. */
  plan(spec: S, dataset: Dataset, phase: RunPhase): FeedingPlan;
  /** How the feeder serves its learners. */
  rules(spec: S, phase: RunPhase): FeedingRules;
}

export interface FeedingRules
  extends Pick<FeederActorOptions, "window" | "keepsUntil" | "isDropping" | "augmentation" | "isDistilling"> {
  /** Batches name the newest version of the teacher. */
  readonly namesTeacher: boolean;
}

/** A kind whose learners follow a teacher. */
export interface Teaching<S> {
  teacherOf(spec: S): TeacherSpec;
  /** The teacher's layers. @throws KnowledgeNetError KN_CONFIG before they are known. */
  teacherModelOf(spec: S): ModelSpec;
  /** The spec with its teacher's layers filled in. */
  withTeacherModel(spec: S, model: ModelSpec): S;
  /** Cache of the teacher's activations on each node; undefined: none. */
  cacheOf(spec: S): { readonly budgetMiB: number; readonly directory?: string | undefined } | undefined;
}

export interface ResultsContext<S = RunSpec> extends RunSlices {
  readonly run: string;
  readonly spec: S;
  readonly dataset: Dataset;
  readonly bus: string;
}

/** Content of results.json that all kinds share. */
export interface JobResults {
  readonly run: string;
  readonly kind: SpecKind;
  /**
   * "completed", "stopped", "failed"; "unmeasured": all steps are done, and the last evaluation is missing or short;
   * "unfinished": phases remain.
   */
  readonly outcome: string;
  /** Share of the validation set (the test set where none is held out), 0 to 1; null: not measured. */
  readonly accuracy: number | null;
  /** Of all phases so far. */
  readonly seconds: number;
  /** Fingerprint of the data. */
  readonly dataset: string;
  readonly bus: string;
  readonly seed: number;
}

/** A job for a reader, as text and tables. */
export interface JobView<S extends RunSpec = RunSpec, R extends JobResults = JobResults> {
  /** "4 blocks", "the whole student". */
  describeLearners(actors: RunActors): string;
  /** One learner of a phase while it runs. */
  learner(spec: S, phase: RunPhase): LearnerView;
  /** Traffic at the boundaries of a phase while it runs. */
  boundaries(spec: S, phase: RunPhase, figures: MonitorFigures): TextTable;
  /** A spec that is not run: for a program, and for a reader. */
  plan(spec: S, slices: RunSlices): { readonly json: unknown; readonly text: readonly (string | TextTable)[] };
  /** The end of a run. */
  results(results: R): readonly (string | TextTable)[];
}

export interface LearnerView {
  /** "block" or "section". */
  readonly noun: string;
  /** Titles of the two columns with the figures of learning. */
  readonly columns: readonly [string, string];
  /** The two cells of the learner `id`. */
  cells(figures: MonitorFigures, id: string): readonly [string, string];
  /** Its quality in a few words, for a plain line; "": not measured. */
  note(figures: MonitorFigures, id: string): string;
}
