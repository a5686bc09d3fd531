/**
 * The mark that the feeder holds at, repeated until StartFeeding arrives: a fact may be lost, and the run waits for this one.
 */
import type { ControlChannel } from "../../runtime/actor/index.ts";
import type { Clock, TimerHandle } from "../../runtime/clock/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import type { FeederMarkKind } from "./feeder-lifecycle.ts";
import type { FeederState } from "./feeder-state.ts";
import type { FeedingPlan } from "./feeding-plan.ts";

export interface FeederMarksDeps {
  readonly clock: Clock;
  readonly channel: ControlChannel;
  readonly plan: FeedingPlan;
  readonly state: FeederState;
  readonly isHolding: () => boolean;
}

export interface FeederMarks {
  /** Reaches a mark, and announces it. */
  reach(mark: FeederMarkKind): void;
  /** The feeder goes on: the mark is not repeated any more. */
  leave(): void;
  /** Announces the mark again, or that the feeder holds without one. */
  announce(): void;
  close(): void;
}

export function createFeederMarks({ clock, channel, plan, state, isHolding }: FeederMarksDeps): FeederMarks {
  let mark: FeederMarkKind | undefined;
  let repeating: TimerHandle | undefined;

  const close = (): void => {
    if (repeating !== undefined) clock.clearTimeout(repeating);
    repeating = undefined;
  };
  const announce = (): void => {
    close();
    const { sequence, step } = state.published;
    if (mark !== undefined) {
      const isItem = mark !== "paused" && sequence >= plan.firstSequence;
      const evaluation = isItem ? plan.itemAt(sequence).evaluation : 0;
      const evaluationSamples = evaluation === 0 ? 0 : plan.samplesOfEvaluation(evaluation);
      const fact = { kind: "FeederMark", mark, epoch: state.epochs, evaluation, evaluationSamples } as const;
      channel.emit(fact, { sequence, step, version: 0 });
    } else if (isHolding()) {
      channel.emit({ kind: "StateEntered", state: "holding" });
    } else {
      return;
    }
    repeating = clock.setTimeout(announce, RETRANSMIT_AFTER_MS);
  };

  return {
    announce,
    close,
    reach(reached) {
      if (reached !== "paused") state.epochs = plan.epochsAt(state.published.sequence);
      mark = reached;
      announce();
    },
    leave() {
      mark = undefined;
    },
  };
}
