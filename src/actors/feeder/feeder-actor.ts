/**
 * The feeder: publishes batches to the learners, blocks or sections, as many as the slowest one's credit allows (`overload:
 * drop`: the first one's; evaluation always the slowest's), and keeps a batch to retransmit it until it is consumed. It holds
 * at the end of each epoch until StartFeeding arrives, so that the checkpoints of all actors belong together.
 *
 * It has no state of its own: it stands where the learners have consumed to, which it asks them for when it starts.
 */
import type { Event, Progress } from "../../messages/index.ts";
import {
  type Actor,
  createActor,
  createControlChannel,
  refuseCommand,
  requestWithRetry,
} from "../../runtime/actor/index.ts";
import type { Subscription } from "../../runtime/bus/index.ts";
import type { TimerHandle } from "../../runtime/clock/index.ts";
import { createDrainTracker, RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import { feederLifecycle, type FeederMarkKind } from "./feeder-lifecycle.ts";
import type { FeederActorDeps, FeederActorOptions } from "./feeder-options.ts";
import { createFeederOutput } from "./feeder-output.ts";
import { createFeederState } from "./feeder-state.ts";

export function createFeederActor(options: FeederActorOptions, deps: FeederActorDeps): Actor {
  const { run, id, fence, learners } = options;
  const { bus, clock, log, dataset, plan } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const state = createFeederState(options, plan);
  const output = createFeederOutput(options, deps, (error) => {
    later(() => {
      throw error;
    });
  });
  const { outbox } = output;
  const receivers = new Map(learners.map((learner) => [learner, createDrainTracker(outbox)]));
  const subscriptions: Subscription[] = [];
  /** The mark that the feeder holds at, once it is reached. */
  let announced: FeederMarkKind | undefined;
  let repeating: TimerHandle | undefined;

  const progress = (): Progress => ({
    kind: "Progress",
    consumed: state.slowest,
    applied: 0,
    stalenessSteps: 0,
    computeMs: 0,
    receivedBytes: 0,
    drops: {},
    skipped: {},
    pending: 0,
    sentBytes: output.sent.snapshot(),
    step: state.published.step,
  });

  const publish = (): void => {
    while (state.hasCredit) {
      const { sequence } = state.published;
      const isLast = sequence >= plan.lastSequence;
      if (isLast || (plan.endsEpoch(sequence) && plan.epochsAt(sequence) > state.epochs)) {
        actor.host.send({ type: "EpochPublished", isLast, isDrained: state.isDrained });
        return;
      }
      const item = plan.itemAt(sequence + 1);
      state.publish(item);
      output.publish(item, state.teacher);
    }
  };

  const onLearnerEvent = ({ header: { sender }, fact }: Event): void => {
    const isKept = state.isKeptFor(sender);
    if (isKept && fact.kind === "StateEntered") receivers.get(sender)?.onReceiverState(fact.state);
    if (fact.kind !== "Progress") return;
    // A learner that went back after a restart gets the gap.
    if (isKept && options.keepsUntil === "first") outbox.acknowledge(fact.consumed);
    const hasChanged = state.consume(sender, fact.consumed);
    if (options.keepsUntil === "all") outbox.acknowledge(state.slowest);
    if (hasChanged) actor.host.send({ type: "Credit", isDrained: state.isDrained });
  };

  const findTeacher = async (): Promise<void> => {
    state.teacher = Math.max(state.teacher, (await deps.newestTeacher?.()) ?? 0);
  };

  /** Repeats the mark, or that it holds, until StartFeeding arrives: a fact may be lost, and the run waits for this one. */
  const announce = (): void => {
    if (repeating !== undefined) clock.clearTimeout(repeating);
    repeating = undefined;
    const { sequence, step } = state.published;
    if (announced !== undefined) {
      const isItem = announced !== "paused" && sequence >= plan.firstSequence;
      const evaluation = isItem ? plan.itemAt(sequence).evaluation : 0;
      const evaluationSamples = evaluation === 0 ? 0 : plan.samplesOfEvaluation(evaluation);
      const mark = { kind: "FeederMark", mark: announced, epoch: state.epochs, evaluation, evaluationSamples } as const;
      channel.emit(mark, { sequence, step, version: 0 });
    } else if (actor.state === "holding") {
      channel.emit({ kind: "StateEntered", state: "holding" });
    } else {
      return;
    }
    repeating = clock.setTimeout(announce, RETRANSMIT_AFTER_MS);
  };

  /** Effects that send events run after the transition that asked for them. */
  const later = (effect: () => void): void => {
    queueMicrotask(() => {
      try {
        effect();
      } catch (error) {
        actor.host.send({ type: "Failed", error: error instanceof Error ? error : new Error(String(error)) });
      }
    });
  };

  const actions = {
    publish: () => {
      later(() => {
        if (actor.state === "feeding") publish();
      });
    },
    checkDrained: () => {
      later(() => {
        if (state.isDrained) actor.host.send({ type: "Credit", isDrained: true });
      });
    },
    announce: (_: unknown, mark: FeederMarkKind) => {
      if (mark !== "paused") state.epochs = plan.epochsAt(state.published.sequence);
      announced = mark;
      announce();
    },
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-feeder",
      description: `feeds ${dataset.name}`,
      chart: (effects) => feederLifecycle.provide({ actors: effects, actions }),
      input: undefined,
      isReady: (name) => ["holding", "feeding", "draining", "finished"].includes(name),
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [],
      watches: [],
      async commands(command) {
        switch (command.kind) {
          case "StartFeeding":
            if (actor.state === "holding") announced = undefined;
            // A run in one process gets no UseTeacher: it finds a new version between two epochs.
            await findTeacher().catch((error: unknown) => {
              log.warn({ err: error }, "newest teacher not read");
            });
            actor.host.send({ type: "Start" });
            return { kind: "Done" };
          case "PauseFeeding":
            actor.host.send({ type: "Pause" });
            return { kind: "Done" };
          case "UseTeacher":
            state.teacher = Math.max(state.teacher, command.version);
            return { kind: "Done" };
          default:
            throw refuseCommand(id, command);
        }
      },
      async open(signal) {
        // Before it asks: a report that follows the answer must not be missed.
        for (const learner of learners) subscriptions.push(channel.watch(learner, onLearnerEvent));
        const deadlineMs = clock.now() + options.readyDeadlineMs;
        const ask = { clock, deadlineMs, signal };
        await Promise.all(
          learners.map(async (learner) => {
            const reply = await requestWithRetry(channel, learner, { kind: "ReportState" }, ask);
            if (reply.kind === "ActorState") state.consume(learner, reply.progress.consumed);
          }),
        );
        await findTeacher();
        signal.throwIfAborted();
        state.begin();
        outbox.begin(state.published, state.published.sequence);
      },
      close() {
        if (repeating !== undefined) clock.clearTimeout(repeating);
        outbox.close();
        for (const subscription of subscriptions) subscription.unsubscribe();
        return Promise.resolve();
      },
      progress,
      stats: () => ({ published: state.published.sequence, ...progress() }),
      onReconnected() {
        announce();
        outbox.retransmit();
      },
      onState: (entered) => {
        if (entered === "holding") later(announce);
        return entered !== "holding"; // `announce` repeats the mark instead, where there is one
      },
    },
  );
  return actor;
}
