/**
 * The feeder: publishes batches to the first block, as many as the slowest block's credit allows, and keeps what is not
 * consumed to send it again. Holds still at the end of each epoch until it is told to go on, so that checkpoints of all
 * actors belong together.
 */
import { fromPromise } from "xstate";
import type { TimerHandle } from "../../runtime/clock/index.ts";
import type { Dataset } from "../../data/index.ts";
import { encodeActivation, type Event, type Progress, runSubject } from "../../messages/index.ts";
import {
  type Actor,
  createControlChannel,
  createDropCounters,
  createOutbox,
  hostMachine,
  refuseCommand,
} from "../../runtime/actor/index.ts";
import type { Service, Subscription } from "../../runtime/bus/index.ts";

import { type ActorDeps, type ActorOptions, createFrameSender, RESEND_AFTER_MS } from "../link/index.ts";
import { feederMachine, type FeederMarkKind } from "./feeder-machine.ts";
import type { FeedingPlan } from "./feeding-plan.ts";

export interface FeederActorOptions extends ActorOptions {
  /** Blocks of the run, whose progress is the credit. */
  readonly blocks: readonly string[];
  /** Batches between the feeder and the slowest block. */
  readonly window: number;
}

export interface FeederActorDeps extends ActorDeps {
  readonly dataset: Dataset;
  readonly plan: FeedingPlan;
}

export function createFeederActor(options: FeederActorOptions, deps: FeederActorDeps): Actor {
  const { run, id, blocks, window } = options;
  const { bus, clock, log, checkpoints, dataset, plan } = deps;
  const channel = createControlChannel({ run, actor: id }, { bus, log });
  const outbox = createOutbox({ resendAfterMs: RESEND_AFTER_MS }, { clock, send: createFrameSender({ bus, log }) });
  const drops = createDropCounters();
  const consumed = new Map(blocks.map((block) => [block, 0]));
  const [firstBlock] = blocks;
  let published = 0;
  let step = 0;
  let epochs = 0;
  /** The mark that the feeder holds still at, once it is reached. */
  let announced: FeederMarkKind | undefined;
  let repeating: TimerHandle | undefined;
  const subscriptions: Subscription[] = [];
  let service: Service | undefined;
  let forgetReconnect: () => void = () => undefined;

  const slowest = (): number => Math.min(...consumed.values());
  const isDrained = (): boolean => slowest() >= published;

  const progress = (): Progress => ({
    kind: "Progress",
    consumed: slowest(),
    applied: 0,
    stalenessSteps: 0,
    computeMs: 0,
    receivedBytes: 0,
    drops: drops.snapshot(),
  });

  const publishNext = (): void => {
    const item = plan.itemAt(published + 1);
    const split = item.phase === "train" ? dataset.train : dataset.test;
    const { samples, labels } = split.batch(item.indices);
    published = item.sequence;
    step = item.step;
    const header = { run, sender: id, sequence: item.sequence, step, version: 0, fence: 0 };
    const frame = encodeActivation(
      { header, phase: item.phase, tensor: samples, labels, evaluation: item.evaluation },
      "raw",
    );
    outbox.post(item.sequence, runSubject(run, "batch", "0"), frame);
  };

  const publish = (): void => {
    while (published - slowest() < window) {
      const isEpochPublished =
        published > 0 && published % plan.itemsPerEpoch === 0 && published / plan.itemsPerEpoch > epochs;
      if (isEpochPublished) {
        host.send({ type: "EpochPublished", isLast: published >= plan.totalItems, isDrained: isDrained() });
        return;
      }
      if (published >= plan.totalItems) {
        host.send({ type: "EpochPublished", isLast: true, isDrained: isDrained() });
        return;
      }
      publishNext();
    }
  };

  const onProgress = ({ header, fact }: Event): void => {
    const known = consumed.get(header.sender);
    if (fact.kind !== "Progress" || known === undefined || fact.consumed <= known) return;
    const before = slowest();
    consumed.set(header.sender, fact.consumed);
    if (header.sender === firstBlock) outbox.acknowledge(fact.consumed);
    if (slowest() > before) host.send({ type: "Credit", isDrained: isDrained() });
  };

  const commands = channel.commands(async (command) => {
    switch (command.kind) {
      case "StartFeeding":
        if (host.state === "holding") announced = undefined;
        host.send({ type: "Start" });
        return { kind: "Done" };
      case "PauseFeeding":
        host.send({ type: "Pause" });
        return { kind: "Done" };
      case "ReportState":
        return { kind: "ActorState", state: host.state, progress: progress() };
      case "SaveCheckpoint": {
        const metadata = { actor: id, published: String(published), step: String(step), epochs: String(epochs) };
        const info = await checkpoints.save(id, command.generation, { metadata, tensors: {} });
        return { kind: "CheckpointSaved", ...info };
      }
      case "StopActor":
        host.send({ type: "Stop" });
        return { kind: "Done" };
      default:
        throw refuseCommand(id, command);
    }
  });

  const open = async (): Promise<void> => {
    if (options.generation !== undefined) {
      const { metadata } = await checkpoints.load(id, options.generation);
      published = Number(metadata.published);
      step = Number(metadata.step);
      epochs = Number(metadata.epochs);
      for (const block of blocks) consumed.set(block, published);
    }
    for (const block of blocks) subscriptions.push(channel.watch(block, onProgress));
    service = await bus.service({
      name: "kn-feeder",
      version: options.softwareVersion,
      description: `feeds ${dataset.name}`,
      metadata: { run, actor: id, ...options.metadata },
      endpoints: [commands],
      stats: () => ({ state: host.state, published, ...progress() }),
    });
    forgetReconnect = bus.on("reconnected", () => {
      announce();
      outbox.resend();
    });
  };

  const close = async (): Promise<void> => {
    forgetReconnect();
    announced = undefined;
    announce();
    outbox.close();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await service?.stop();
  };

  /** Says what was reached, again and again until it is told to go on: a fact may be lost, and the run waits for this one. */
  const announce = (): void => {
    if (repeating !== undefined) clock.clearTimeout(repeating);
    repeating = undefined;
    if (announced === undefined) return;
    const fact = { kind: "FeederMark", mark: announced, epoch: epochs, evaluation: 0 } as const;
    channel.emit(fact, { sequence: published, step, version: 0 });
    repeating = clock.setTimeout(announce, RESEND_AFTER_MS);
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
    actors: { open: fromPromise(open), close: fromPromise(close) },
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
        if (mark !== "paused") epochs = Math.floor(published / plan.itemsPerEpoch);
        announced = mark;
        announce();
      },
    },
  });
  const host = hostMachine(machine, undefined as never, {
    clock,
    onState: (state) => {
      channel.emit({ kind: "StateEntered", state });
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
