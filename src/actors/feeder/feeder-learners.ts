/**
 * The feeder's view of its learners: follows what they have consumed, by their progress and by asking them, and has a
 * batch kept or forgotten accordingly.
 */
import type { Event } from "../../messages/index.ts";
import { allOrAbort, type ControlChannel, requestWithRetry } from "../../runtime/actor/index.ts";
import type { Subscription } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { createDrainTracker, type Outbox } from "../../runtime/stream/index.ts";
import type { FeederActorOptions } from "./feeder-options.ts";
import type { FeederState } from "./feeder-state.ts";
import { createPositionRequests } from "./position-requests.ts";

export interface FeederLearnersDeps {
  readonly clock: Clock;
  readonly channel: ControlChannel;
  readonly state: FeederState;
  readonly outbox: Outbox;
  /** Credit or drain has changed. */
  readonly onCredit: () => void;
}

export interface FeederLearners {
  /** Follows the learners from now on, and asks each where it stands until it answers or the deadline passes. */
  locate(signal: AbortSignal): Promise<void>;
  /** A batch was published. */
  published(): void;
  close(): void;
}

export function createFeederLearners(
  { learners, keepsUntil, readyDeadlineMs }: FeederActorOptions,
  { clock, channel, state, outbox, onCredit }: FeederLearnersDeps,
): FeederLearners {
  const receivers = new Map(learners.map((learner) => [learner, createDrainTracker(outbox)]));
  const subscriptions: Subscription[] = [];

  const onPosition = (learner: string, consumed: number): void => {
    const hasChanged = state.consume(learner, consumed);
    if (keepsUntil === "all") outbox.acknowledge(state.slowest);
    if (!hasChanged) return;
    requests.restart();
    onCredit();
  };
  const requests = createPositionRequests({ clock, channel, state, onPosition });

  const onEvent = ({ header: { sender }, fact }: Event): void => {
    const isKept = state.isKeptFor(sender);
    if (isKept && fact.kind === "StateEntered") receivers.get(sender)?.onReceiverState(fact.state);
    if (fact.kind !== "Progress") return;
    // A learner that went back after a restart gets the gap.
    if (isKept && keepsUntil === "first") outbox.acknowledge(fact.consumed);
    onPosition(sender, fact.consumed);
  };

  return {
    async locate(signal) {
      // Before it asks: a report that follows the answer must not be missed.
      for (const learner of learners) subscriptions.push(channel.watch(learner, onEvent));
      const deadlineMs = clock.now() + readyDeadlineMs;
      await allOrAbort(learners, signal, async (learner, either) => {
        const ask = { clock, deadlineMs, signal: either };
        const reply = await requestWithRetry(channel, learner, { kind: "ReportState" }, ask);
        if (reply.kind === "ActorState") state.consume(learner, reply.progress.consumed);
      });
    },
    published() {
      requests.restart();
    },
    close() {
      requests.close();
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}
