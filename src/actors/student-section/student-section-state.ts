/**
 * The state of a student's section beside its weights: its position, the account of every training batch, the evaluation,
 * and the figures of the last message. It is the section's progress, and with the weights its checkpoint. Without effects.
 */
import type { Plane, Progress } from "../../messages/index.ts";
import type { StatePosition } from "../../runtime/actor/index.ts";
import {
  type Counters,
  createCounters,
  createStepAccount,
  type DropCounters,
  type GapCause,
  parseCounts,
  type StepAccount,
} from "../../runtime/stream/index.ts";
import { createEvaluationTally, type EvaluationTally } from "../link/index.ts";

export interface SectionFigures {
  readonly computeMs: number;
  readonly receivedBytes: number;
  readonly loss?: number;
  readonly hintLoss?: number;
}

export interface StudentSectionState {
  readonly evaluations: EvaluationTally;
  /** Sequence up to which everything is consumed. */
  readonly consumed: number;
  /** Updates of the weights. */
  readonly version: number;
  readonly step: number;
  /** Newest training step that is finished. */
  readonly finished: number;
  /** Version of the teacher of the last batch; 0: none yet. */
  readonly teacher: number;
  take(step: number, isTraining: boolean, gap: GapCause | undefined): void;
  /** A training batch is at hand until `apply` or `abort`. */
  begin(): void;
  /** @throws KnowledgeNetError KN_INVARIANT when the batch was applied before. */
  apply(step: number, version: number): void;
  /** The batch at hand came to nothing. @param isCounted as refused; otherwise it is counted as a drop */
  abort(isCounted: boolean): void;
  consume(sequence: number): void;
  /** @returns the number of this batch for batch norm's statistics, from 1. */
  recalibrate(): number;
  learnFrom(teacher: number): void;
  note(figures: Partial<SectionFigures>): void;
  countSent(plane: Plane, bytes: number): void;
  progress(): Progress;
  position(): StatePosition;
  save(): Readonly<Record<string, string>>;
  restore(saved: Readonly<Record<string, string>>): void;
}

/** @param startAfter sequence after which the phase begins. */
export function createStudentSectionState(startAfter: number, drops: DropCounters): StudentSectionState {
  const evaluations = createEvaluationTally();
  let sent: Counters<Plane> = createCounters();
  let account: StepAccount = createStepAccount();
  let consumed = startAfter;
  let version = 0;
  let recalibrated = 0;
  let teacher = 0;
  let inHand = 0;
  let finished = 0;
  let figures: SectionFigures = { computeMs: 0, receivedBytes: 0 };

  return {
    evaluations,
    get consumed() {
      return consumed;
    },
    get version() {
      return version;
    },
    get step() {
      return account.step;
    },
    get finished() {
      return finished;
    },
    get teacher() {
      return teacher;
    },
    take(step, isTraining, gap) {
      account.take(step, isTraining, gap);
    },
    begin() {
      inHand = 1;
    },
    apply(step, to) {
      account.apply(step);
      inHand = 0;
      version = to;
    },
    abort(isCounted) {
      if (isCounted && inHand > 0) account.skipped.count("refused");
      inHand = 0;
    },
    consume(sequence) {
      consumed = sequence;
      finished = account.step;
    },
    recalibrate: () => (recalibrated += 1),
    learnFrom(other) {
      teacher = other;
    },
    note(changes) {
      figures = { ...figures, ...changes };
    },
    countSent(plane, bytes) {
      sent.count(plane, bytes);
    },
    progress: () => ({
      kind: "Progress",
      consumed,
      applied: version,
      stalenessSteps: 0,
      drops: drops.snapshot(),
      skipped: account.skipped.snapshot(),
      pending: inHand,
      sentBytes: sent.snapshot(),
      step: account.step,
      ...figures,
    }),
    position: () => ({ step: account.step, finished, consumed, applied: version }),
    save: () => ({
      version: String(version),
      consumed: String(consumed),
      recalibrated: String(recalibrated),
      teacher: String(teacher),
      sentBytes: JSON.stringify(sent.snapshot()),
      ...account.save(),
      ...evaluations.save(),
    }),
    restore(saved) {
      version = Number(saved.version);
      consumed = Number(saved.consumed);
      recalibrated = Number(saved.recalibrated ?? 0);
      teacher = Number(saved.teacher ?? 0);
      account = createStepAccount(saved);
      finished = account.step;
      sent = createCounters(parseCounts(saved.sentBytes));
      evaluations.restore(saved);
    },
  };
}
