/**
 * The feeder: publishes batches to those that learn, blocks or sections, as many as the slowest one's credit allows
 * (`overload: drop`: the first one's; evaluation always the slowest's), and keeps what is not consumed to send it again.
 * Holds still at the end of each epoch until it is told to go on, so that checkpoints of all actors belong together.
 *
 * It has no state of its own: where it stands is what the learners have consumed, which it asks them for when it starts.
 */
import { fromPromise } from "xstate";
import type { TimerHandle } from "../../runtime/clock/index.ts";
import { augment, type AugmentationOptions, type Dataset } from "../../data/index.ts";
import {
  encodeActivation,
  encodeGap,
  type Event,
  type Header,
  type Lesson,
  type Plane,
  type Progress,
  runSubject,
} from "../../messages/index.ts";
import {
  type Actor,
  createControlChannel,
  hostMachine,
  orderPatiently,
  refuseCommand,
} from "../../runtime/actor/index.ts";
import { createCounters, createOutbox, type StreamPosition } from "../../runtime/stream/index.ts";
import type { Service, Subscription } from "../../runtime/bus/index.ts";

import { type ActorDeps, type StreamActorOptions } from "../link/index.ts";
import { createFrameSender, RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import { feederMachine, type FeederMarkKind } from "./feeder-machine.ts";
import type { FeedingPlan } from "./feeding-plan.ts";

export interface FeederActorOptions extends StreamActorOptions {
  /** Actors that learn, whose progress is the credit: blocks from the first to the last, or sections. */
  readonly learners: readonly string[];
  /**
   * `first`: the first learner passes on what the others need, and a batch is kept until it has it. `all`: each of them
   * depends on the batch itself, and it is kept until all are done with it.
   */
  readonly keepsUntil: "first" | "all";
  /** Batches between the feeder and the slowest learner. */
  readonly window: number;
  /** Training batches go at the first learner's pace; slower ones leave out the old for the new. */
  readonly isDropping: boolean;
  /** How long the learners may take to say where they stand, ms. */
  readonly readyDeadlineMs: number;
  /** How views are made, and the seed that they come from. */
  readonly augmentation: (AugmentationOptions & { readonly seed: number }) | undefined;
  /** Of a distillation run: batches say which samples they hold and who teaches. */
  readonly isDistilling: boolean;
}

export interface FeederActorDeps extends ActorDeps {
  readonly dataset: Dataset;
  readonly plan: FeedingPlan;
  /** Newest version of the teacher; asked when it starts. @default there is none: 0 */
  readonly newestTeacher?: () => Promise<number>;
}

export function createFeederActor(options: FeederActorOptions, deps: FeederActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, learners, window, isDropping, augmentation } = options;
  const { bus, clock, log, dataset, plan } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const sent = createCounters<Plane>();
  const send = createFrameSender(
    { maxFrameBytes },
    {
      bus,
      clock,
      log,
      fail: (error) => {
        later(() => {
          throw error;
        });
      },
    },
  );
  const subject = runSubject(run, "batch", "0");
  const hasOneReceiver = options.keepsUntil === "first";
  // Without its fence: a batch depends on its sequence alone, whoever sends it, and a learner takes each once and in order.
  const headerAt = ({ sequence, step }: StreamPosition): Header => ({
    ...{ run, sender: id, version: 0, fence: 0 },
    sequence,
    step,
  });
  const outbox = createOutbox(
    { retransmitAfterMs: RETRANSMIT_AFTER_MS },
    {
      clock,
      send,
      // Sections ask for where to go on themselves: each may be at another place.
      ...(hasOneReceiver
        ? {
            sendGap: (first, last) => {
              send(subject, encodeGap({ header: headerAt(last), first }));
            },
          }
        : {}),
    },
  );
  const consumed = new Map(learners.map((learner) => [learner, 0]));
  const [firstLearner = ""] = learners;
  let published = 0;
  let step = 0;
  let epochs = 0;
  let teacher = 0;
  /** The mark that the feeder holds still at, once it is reached. */
  let announced: FeederMarkKind | undefined;
  let repeating: TimerHandle | undefined;
  const subscriptions: Subscription[] = [];
  let service: Service | undefined;
  let forgetReconnect: () => void = () => undefined;

  const slowest = (): number => Math.min(...consumed.values());
  /** Up to where batches need not be kept. */
  const received = (): number => (hasOneReceiver ? (consumed.get(firstLearner) ?? 0) : slowest());
  /** How far the next item may be ahead of `credit`. */
  const credit = (): number =>
    isDropping && published < plan.lastSequence && plan.itemAt(published + 1).phase === "train"
      ? (consumed.get(firstLearner) ?? 0)
      : slowest();
  const isDrained = (): boolean => slowest() >= published;

  const progress = (): Progress => ({
    kind: "Progress",
    consumed: slowest(),
    applied: 0,
    stalenessSteps: 0,
    computeMs: 0,
    receivedBytes: 0,
    drops: {},
    skipped: {},
    pending: 0,
    sentBytes: sent.snapshot(),
    step,
  });

  const publishNext = (): void => {
    const item = plan.itemAt(published + 1);
    const split = item.phase === "evaluate" ? dataset.validation : dataset.train;
    const { samples, labels } = split.batch(item.indices);
    const ids = Array.from(item.indices, (index) => split.idOf(index));
    const seed = augmentation?.seed ?? 0;
    const tensor = augmentation === undefined ? samples : augment(samples, ids, item.view, seed, augmentation);
    const lesson: Lesson = { samples: ids, view: item.view, seed, teacher };
    published = item.sequence;
    step = item.step;
    const frame = encodeActivation(
      {
        header: headerAt(item),
        phase: item.phase,
        tensor,
        labels,
        evaluation: item.evaluation,
        ...(options.isDistilling ? { lesson } : {}),
      },
      "raw",
    );
    if (item.phase === "train") sent.count("batch", frame.byteLength);
    outbox.post(item, subject, frame);
  };

  const publish = (): void => {
    while (published - credit() < window) {
      const isOver = published >= plan.lastSequence;
      if (isOver || (plan.endsEpoch(published) && plan.epochsAt(published) > epochs)) {
        host.send({ type: "EpochPublished", isLast: isOver, isDrained: isDrained() });
        return;
      }
      publishNext();
    }
  };

  const onProgress = ({ header, fact }: Event): void => {
    const known = consumed.get(header.sender);
    const isWaitedFor = hasOneReceiver ? header.sender === firstLearner : known !== undefined;
    // One that has gone back in a new life is told what will not come again.
    if (hasOneReceiver && isWaitedFor && fact.kind === "Progress") outbox.acknowledge(fact.consumed);
    if (isWaitedFor && fact.kind === "StateEntered" && fact.state === "running") outbox.retransmit();
    if (fact.kind !== "Progress" || known === undefined || fact.consumed <= known) return;
    const before = Math.max(slowest(), credit());
    const wasDrained = isDrained();
    consumed.set(header.sender, fact.consumed);
    if (!hasOneReceiver) outbox.acknowledge(slowest());
    if (Math.max(slowest(), credit()) > before || isDrained() !== wasDrained)
      host.send({ type: "Credit", isDrained: isDrained() });
  };

  const findTeacher = async (): Promise<void> => {
    teacher = Math.max(teacher, (await deps.newestTeacher?.()) ?? 0);
  };

  const commands = channel.commands(async (command) => {
    switch (command.kind) {
      case "StartFeeding":
        if (host.state === "holding") announced = undefined;
        // A run in one process is told nothing: it finds a new version between two epochs.
        await findTeacher().catch((error: unknown) => {
          log.warn({ err: error }, "no look at the newest teacher");
        });
        host.send({ type: "Start" });
        return { kind: "Done" };
      case "PauseFeeding":
        host.send({ type: "Pause" });
        return { kind: "Done" };
      case "UseTeacher":
        teacher = Math.max(teacher, command.version);
        return { kind: "Done" };
      case "ReportState":
        return { kind: "ActorState", state: host.state, progress: progress() };
      case "StopActor":
        host.send({ type: "Stop" });
        return { kind: "Done" };
      default:
        throw refuseCommand(id, command);
    }
  });

  const open = async (signal: AbortSignal): Promise<void> => {
    for (const learner of learners) subscriptions.push(channel.watch(learner, onProgress));
    const deadlineMs = clock.now() + options.readyDeadlineMs;
    await Promise.all(
      learners.map(async (learner) => {
        const state = await orderPatiently(channel, learner, { kind: "ReportState" }, { clock, deadlineMs, signal });
        if (state.kind === "ActorState")
          consumed.set(learner, Math.max(consumed.get(learner) ?? 0, state.progress.consumed));
      }),
    );
    await findTeacher();
    published = Math.max(received(), plan.firstSequence - 1);
    step = published < plan.firstSequence ? 0 : plan.itemAt(published).step;
    outbox.begin({ sequence: published, step }, published);
    // At the end of an epoch it says so once more: its predecessor may not have been heard.
    epochs = plan.epochsAt(published) - (plan.endsEpoch(published) ? 1 : 0);
    service = await bus.service({
      name: "kn-feeder",
      version: options.softwareVersion,
      description: `feeds ${dataset.name}`,
      metadata: { run, actor: id, fence: String(fence), ...options.metadata },
      endpoints: [commands],
      stats: () => ({ state: host.state, published, ...progress() }),
    });
    forgetReconnect = bus.on("reconnected", () => {
      announce();
      outbox.retransmit();
    });
  };

  const close = async (): Promise<void> => {
    forgetReconnect();
    if (repeating !== undefined) clock.clearTimeout(repeating);
    outbox.close();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await service?.stop();
  };

  /** Says what was reached, again and again until it is told to go on: a fact may be lost, and the run waits for this one. */
  const announce = (): void => {
    if (repeating !== undefined) clock.clearTimeout(repeating);
    repeating = undefined;
    if (announced !== undefined) {
      const evaluation =
        announced === "paused" || published < plan.firstSequence ? 0 : plan.itemAt(published).evaluation;
      const evaluationSamples = evaluation === 0 ? 0 : plan.samplesOfEvaluation(evaluation);
      const fact = { kind: "FeederMark", mark: announced, epoch: epochs, evaluation, evaluationSamples } as const;
      channel.emit(fact, { sequence: published, step, version: 0 });
    } else if (host.state === "holding") {
      channel.emit({ kind: "StateEntered", state: "holding" }); // until somebody has it begin
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
        host.send({ type: "Failed", error: error instanceof Error ? error : new Error(String(error)) });
      }
    });
  };

  const machine = feederMachine.provide({
    actors: { open: fromPromise(({ signal }) => open(signal)), close: fromPromise(close) },
    actions: {
      publish: () => {
        later(() => {
          if (host.state === "feeding") publish();
        });
      },
      checkDrained: () => {
        later(() => {
          if (isDrained()) host.send({ type: "Credit", isDrained: true });
        });
      },
      announce: (_, mark) => {
        if (mark !== "paused") epochs = plan.epochsAt(published);
        announced = mark;
        announce();
      },
    },
  });
  const host = hostMachine(machine, undefined as never, {
    clock,
    onState: (state) => {
      if (state === "holding") later(announce);
      else channel.emit({ kind: "StateEntered", state });
    },
  });

  return {
    id,
    get state() {
      return host.state;
    },
    ended: host.ended,
    async start() {
      host.start();
      await host.waitFor((state) => state === "holding");
    },
    async stop() {
      host.send({ type: "Stop" });
      await host.ended;
    },
  };
}
