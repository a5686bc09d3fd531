/**
 * The state of a block beside its weights: its position, the account of every training batch, the awaited gradient, the
 * evaluation, and the figures of the last message. It is the block's progress, and with the weights its checkpoint.
 * Without effects.
 */
import type { UpdateOutcome } from "../../compute/index.ts";
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
import { type AwaitedGradient, createAwaitedGradient } from "./awaited-gradient.ts";

/** Of the message that was handled last. */
export interface MessageFigures {
  readonly computeMs: number;
  readonly receivedBytes: number;
  /** Mean loss of the batch, nats; of the last block in training. */
  readonly loss?: number;
}

export interface BlockState {
  readonly awaited: AwaitedGradient;
  readonly evaluations: EvaluationTally;
  /** Sequence up to which everything is done with. */
  readonly consumed: number;
  /** Updates of the weights. */
  readonly version: number;
  /** Newest training step that was taken. */
  readonly step: number;
  /** Newest finished training step: no batch up to it is blocked on its gradient. */
  readonly finished: number;
  /** Batches before the next one are skipped. */
  recordSkipped(cause: GapCause): void;
  /** A batch is taken in. @param isTraining it is in hand until `settle`, `refuse` or `giveUp` */
  take(step: number, isTraining: boolean): void;
  /** Finished: all waiters for this block may continue. */
  consume(sequence: number): void;
  /**
   * What an update, or its absence, has led to. @throws KnowledgeNetError KN_INVARIANT when this batch was applied
   * before.
   */
  settle(step: number, result: UpdateOutcome): void;
  /** Batches that were kept get no gradient: nothing is pending any more. */
  giveUp(batches: number): void;
  /** The batch in hand came to nothing. @param isCounted as refused; else it is counted as a drop */
  abort(isCounted: boolean): void;
  note(figures: MessageFigures): void;
  countSent(plane: Plane, bytes: number): void;
  progress(): Progress;
  position(): StatePosition;
  /** As strings, for a checkpoint's metadata. @param isGating a batch whose gradient is awaited is sent again */
  save(isGating: boolean): Readonly<Record<string, string>>;
  /** Goes on from what `save` gave: what was pending then will get no gradient now. */
  restore(saved: Readonly<Record<string, string>>): void;
}

export function createBlockState(drops: DropCounters): BlockState {
  const awaited = createAwaitedGradient();
  const evaluations = createEvaluationTally();
  let sent: Counters<Plane> = createCounters();
  let account: StepAccount = createStepAccount();
  let consumed = 0;
  let finished = 0;
  let version = 0;
  /** Batches that the unit keeps for their gradient, and the one that is being computed. */
  let pending = 0;
  let inHand = 0;
  let forgotten = 0;
  let missing: GapCause | undefined;
  let age = 0;
  let last: MessageFigures = { computeMs: 0, receivedBytes: 0 };

  return {
    awaited,
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
    recordSkipped(cause) {
      missing = cause;
    },
    take(step, isTraining) {
      account.take(step, isTraining, missing);
      missing = undefined;
      if (isTraining) inHand = 1;
    },
    consume(sequence) {
      consumed = sequence;
      finished = account.step;
    },
    settle(step, result) {
      if (result.isApplied) {
        account.apply(step);
        age = result.age ?? 0;
      }
      version = result.version;
      pending = result.pending;
      inHand = 0;
      if (result.forgotten > forgotten) account.skipped.count("unanswered", result.forgotten - forgotten);
      forgotten = result.forgotten;
    },
    giveUp(batches) {
      if (batches > 0) account.skipped.count("unanswered", batches);
      forgotten += batches;
      pending = 0;
    },
    abort(isCounted) {
      if (isCounted && inHand > 0) account.skipped.count("refused");
      inHand = 0;
    },
    note({ computeMs, receivedBytes, loss = last.loss }) {
      last = { computeMs, receivedBytes, ...(loss === undefined ? {} : { loss }) };
    },
    countSent(plane, bytes) {
      sent.count(plane, bytes);
    },
    progress: () => ({
      kind: "Progress",
      consumed,
      applied: version,
      stalenessSteps: age,
      ...last,
      drops: drops.snapshot(),
      skipped: account.skipped.snapshot(),
      pending: pending + inHand,
      sentBytes: sent.snapshot(),
      step: account.step,
    }),
    position: () => ({ step: account.step, finished, consumed, applied: version }),
    save: (isGating) => ({
      version: String(version),
      consumed: String(consumed),
      pending: String(isGating ? 0 : pending),
      sentBytes: JSON.stringify(sent.snapshot()),
      ...account.save(awaited.batch !== undefined),
      ...evaluations.save(),
    }),
    restore(saved) {
      version = Number(saved.version);
      consumed = Number(saved.consumed);
      account = createStepAccount(saved);
      finished = account.step;
      sent = createCounters(parseCounts(saved.sentBytes));
      const lost = Number(saved.pending);
      evaluations.restore(saved);
      if (lost > 0) account.skipped.count("unanswered", lost);
    },
  };
}
