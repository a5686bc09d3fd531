/**
 * The feeder: publishes batches to the learners, blocks or sections, as many as the slowest one's credit allows (`overload:
 * drop`: the first one's; evaluation always the slowest's), and keeps a batch to retransmit it until it is consumed. It holds
 * at the end of each epoch until StartFeeding arrives, so that the checkpoints of all actors belong together.
 *
 * It has no state of its own: it stands where the learners have consumed to, which it asks them for when it starts.
 */
import { NO_PROGRESS, type Progress } from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { feederLifecycle, type FeederMarkKind } from "./feeder-lifecycle.ts";
import type { FeederActorDeps, FeederActorOptions } from "./feeder-options.ts";
import { createFeederLearners } from "./feeder-learners.ts";
import { createFeederMarks } from "./feeder-marks.ts";
import { createFeederOutput } from "./feeder-output.ts";
import { createFeederState } from "./feeder-state.ts";

export function createFeederActor(options: FeederActorOptions, deps: FeederActorDeps): Actor {
  const { run, id, fence } = options;
  const { bus, clock, log, dataset, plan } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const state = createFeederState(options, plan);
  const output = createFeederOutput(options, deps, (error) => {
    later(() => {
      throw error;
    });
  });
  const { outbox } = output;

  const progress = (): Progress => ({
    ...NO_PROGRESS,
    consumed: state.slowest,
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
      followed.published();
    }
  };

  const followed = createFeederLearners(options, {
    clock,
    channel,
    state,
    outbox,
    onCredit() {
      actor.host.send({ type: "Credit", isDrained: state.isDrained });
    },
  });

  const findTeacher = async (): Promise<void> => {
    state.teacher = Math.max(state.teacher, (await deps.newestTeacher?.()) ?? 0);
  };

  const marks = createFeederMarks({ clock, channel, plan, state, isHolding: () => actor.state === "holding" });

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
      marks.reach(mark);
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
            if (actor.state === "holding") marks.leave();
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
        await followed.locate(signal);
        await findTeacher();
        signal.throwIfAborted();
        state.begin();
        outbox.begin(state.published, state.published.sequence);
      },
      close() {
        marks.close();
        followed.close();
        outbox.close();
        return Promise.resolve();
      },
      progress,
      stats: () => ({ published: state.published.sequence, ...progress() }),
      onReconnected() {
        marks.announce();
        outbox.retransmit();
      },
      onState: (entered) => {
        if (entered === "holding") later(marks.announce);
        return entered !== "holding"; // the mark is repeated instead, where there is one
      },
    },
  );
  return actor;
}
