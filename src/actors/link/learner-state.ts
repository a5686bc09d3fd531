/**
 * What every learner has beside its weights: its position, the account of every training batch, the evaluation, and the
 * figures of the last message. It is the learner's progress, and with the weights its checkpoint. Without effects.
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
  type SkipCause,
  type StepAccount,
} from "../../runtime/stream/index.ts";
import { createEvaluationTally, type EvaluationTally } from "./evaluation-tally.ts";

/** Of the message that was handled last. */
export interface LearnerFigures {
  readonly computeMs: number;
  readonly receivedBytes: number;
  /** Mean loss of the newest training batch that has one, nats. */
  readonly loss?: number;
  /** The teacher's share of it, unweighted. */
  readonly hintLoss?: number;
}

/** What a kind knows of batches that it has handled. */
export interface OpenBatches {
  /** Batches that are kept for an update to come. @default 0 */
  readonly pending?: number;
  /** Updates between the forward and the update of the newest applied batch. @default 0 */
  readonly stalenessSteps?: number;
}

export interface LearnerState {
  readonly evaluations: EvaluationTally;
  /** Sequence up to which everything is done with. */
  readonly consumed: number;
  /** Updates of the weights. */
  readonly version: number;
  /** Newest training step that was taken. */
  readonly step: number;
  /** Newest finished training step: no batch up to it is blocked. */
  readonly finished: number;
  /**
   * A batch is taken in; the steps between it and the one before were skipped. @param isTraining it is in hand until
   * `settle` or `abort`
   */
  take(step: number, isTraining: boolean, gap: GapCause | undefined): void;
  /** What came of a training batch. @throws KnowledgeNetError KN_INVARIANT when this batch was applied before. */
  settle(step: number, outcome: { readonly isApplied: boolean; readonly version: number }): void;
  /** The batch in hand came to nothing. @param isCounted as refused; otherwise it is counted as a drop */
  abort(isCounted: boolean): void;
  /** Training batches that the weights will not include. */
  skip(cause: SkipCause, batches: number): void;
  /** Finished: all waiters for this learner may continue. */
  consume(sequence: number): void;
  note(figures: Partial<LearnerFigures>): void;
  countSent(plane: Plane, bytes: number): void;
  progress(open?: OpenBatches): Progress;
  position(): StatePosition;
  /** As strings, for a checkpoint's metadata. @param isOpen the newest batch will be sent again. @default false */
  save(isOpen?: boolean): Readonly<Record<string, string>>;
  /** Continues what `save` gave. */
  restore(saved: Readonly<Record<string, string>>): void;
}

/** @param startAfter sequence after which the learner begins. @default 0 */
export function createLearnerState(drops: DropCounters, startAfter = 0): LearnerState {
  const evaluations = createEvaluationTally();
  let sent: Counters<Plane> = createCounters();
  let account: StepAccount = createStepAccount();
  let consumed = startAfter;
  let finished = 0;
  let version = 0;
  let inHand = 0;
  let last: LearnerFigures = { computeMs: 0, receivedBytes: 0 };

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
    take(step, isTraining, gap) {
      account.take(step, isTraining, gap);
      if (isTraining) inHand = 1;
    },
    settle(step, outcome) {
      if (outcome.isApplied) account.apply(step);
      version = outcome.version;
      inHand = 0;
    },
    abort(isCounted) {
      if (isCounted && inHand > 0) account.skipped.count("refused");
      inHand = 0;
    },
    skip(cause, batches) {
      if (batches > 0) account.skipped.count(cause, batches);
    },
    consume(sequence) {
      consumed = sequence;
      finished = account.step;
    },
    note(figures) {
      last = { ...last, ...figures };
    },
    countSent(plane, bytes) {
      sent.count(plane, bytes);
    },
    progress: ({ pending = 0, stalenessSteps = 0 } = {}) => ({
      kind: "Progress",
      consumed,
      applied: version,
      stalenessSteps,
      ...last,
      drops: drops.snapshot(),
      skipped: account.skipped.snapshot(),
      pending: pending + inHand,
      sentBytes: sent.snapshot(),
      step: account.step,
    }),
    position: () => ({ step: account.step, finished, consumed, applied: version }),
    save: (isOpen = false) => ({
      version: String(version),
      consumed: String(consumed),
      sentBytes: JSON.stringify(sent.snapshot()),
      ...account.save(isOpen),
      ...evaluations.save(),
    }),
    restore(saved) {
      version = Number(saved.version);
      consumed = Number(saved.consumed);
      account = createStepAccount(saved);
      finished = account.step;
      sent = createCounters(parseCounts(saved.sentBytes));
      evaluations.restore(saved);
    },
  };
}
