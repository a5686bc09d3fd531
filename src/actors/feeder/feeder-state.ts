/** Position and credit of the feeder: what is published, what its learners have consumed. Without effects. */
import type { StreamPosition } from "../../runtime/stream/index.ts";
import type { FeedingPlan } from "./feeding-plan.ts";

export interface FeederStateOptions {
  readonly learners: readonly string[];
  /** See FeederActorOptions. */
  readonly keepsUntil: "first" | "all";
  readonly window: number;
  readonly isDropping: boolean;
}

export interface FeederState {
  /** Position of the newest batch published. */
  readonly published: StreamPosition;
  /** Epochs announced as ended. */
  epochs: number;
  /** Newest version of the teacher that is known; 0: none. */
  teacher: number;
  /** Sequence that the slowest learner has consumed. */
  readonly slowest: number;
  /** Batches up to here need not be kept. */
  readonly received: number;
  /** Whether the window has room for another batch. */
  readonly hasCredit: boolean;
  readonly isDrained: boolean;
  /** Learners that have not consumed everything published. */
  readonly behind: readonly string[];
  /** Whether a batch is kept until this learner has consumed it. */
  isKeptFor(learner: string): boolean;
  /** Consumption never falls: a learner that went back gets the gap. @returns whether credit or drain changed. */
  consume(learner: string, sequence: number): boolean;
  /** Starts where the learners stand. */
  begin(): void;
  publish(position: StreamPosition): void;
}

export function createFeederState(options: FeederStateOptions, plan: FeedingPlan): FeederState {
  const { learners, keepsUntil, window, isDropping } = options;
  const [firstLearner = ""] = learners;
  const consumed = new Map(learners.map((learner) => [learner, 0]));
  let published: StreamPosition = { sequence: 0, step: 0 };

  const slowest = (): number => Math.min(...consumed.values());
  const first = (): number => consumed.get(firstLearner) ?? 0;
  const received = (): number => (keepsUntil === "first" ? first() : slowest());
  /** The window counts from here: in training that may drop batches, from the first learner. */
  const credit = (): number => {
    const next = published.sequence + 1;
    return isDropping && next <= plan.lastSequence && plan.itemAt(next).phase === "train" ? first() : slowest();
  };
  const isDrained = (): boolean => slowest() >= published.sequence;

  const state: FeederState = {
    epochs: 0,
    teacher: 0,
    get published() {
      return published;
    },
    get slowest() {
      return slowest();
    },
    get received() {
      return received();
    },
    get hasCredit() {
      return published.sequence - credit() < window;
    },
    get isDrained() {
      return isDrained();
    },
    get behind() {
      return learners.filter((learner) => (consumed.get(learner) ?? 0) < published.sequence);
    },
    isKeptFor: (learner) => (keepsUntil === "first" ? learner === firstLearner : consumed.has(learner)),
    consume(learner, sequence) {
      const known = consumed.get(learner);
      if (known === undefined || sequence <= known) return false;
      const before = { credit: Math.max(slowest(), credit()), isDrained: isDrained() };
      consumed.set(learner, sequence);
      return Math.max(slowest(), credit()) > before.credit || isDrained() !== before.isDrained;
    },
    begin() {
      const sequence = Math.max(received(), plan.firstSequence - 1);
      published = { sequence, step: sequence < plan.firstSequence ? 0 : plan.itemAt(sequence).step };
      // At the end of an epoch the mark is announced again: the one before may be lost.
      state.epochs = plan.epochsAt(sequence) - (plan.endsEpoch(sequence) ? 1 : 0);
    },
    publish({ sequence, step }) {
      published = { sequence, step };
    },
  };
  return state;
}
