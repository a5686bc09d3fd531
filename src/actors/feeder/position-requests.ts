/**
 * Repairs a lost acknowledgement. A learner that has consumed everything sends no further Progress, and the batch is no
 * longer kept where an earlier learner has acknowledged it: no retransmission follows. While batches are outstanding and
 * no acknowledgement arrives, the feeder asks the learners that are behind for their position.
 */
import type { ControlChannel } from "../../runtime/actor/index.ts";
import type { Clock, TimerHandle } from "../../runtime/clock/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import type { FeederState } from "./feeder-state.ts";

export interface PositionRequestsDeps {
  readonly clock: Clock;
  readonly channel: ControlChannel;
  readonly state: FeederState;
  /** The position in an answer. */
  readonly onPosition: (learner: string, consumed: number) => void;
}

export interface PositionRequests {
  /** Batches were published or acknowledged: the next requests follow after a time without either. */
  restart(): void;
  close(): void;
}

export function createPositionRequests({ clock, channel, state, onPosition }: PositionRequestsDeps): PositionRequests {
  const closing = new AbortController();
  /** Learners with a request in flight. */
  const asked = new Set<string>();
  let timer: TimerHandle | undefined;

  const ask = async (learner: string): Promise<void> => {
    if (asked.has(learner)) return;
    asked.add(learner);
    try {
      const { signal } = closing;
      const reply = await channel.order(learner, { kind: "ReportState" }, { signal: AbortSignal.any([signal]) });
      if (reply.kind === "ActorState" && !signal.aborted) onPosition(learner, reply.progress.consumed);
    } catch {
      // The learner is absent or the connection is down: the next timeout asks again.
    } finally {
      asked.delete(learner);
    }
  };

  const restart = (): void => {
    if (timer !== undefined) clock.clearTimeout(timer);
    timer = undefined;
    if (state.isDrained || closing.signal.aborted) return;
    timer = clock.setTimeout(() => {
      for (const learner of state.behind) void ask(learner);
      restart();
    }, RETRANSMIT_AFTER_MS);
  };

  return {
    restart,
    close() {
      closing.abort();
      restart();
    },
  };
}
