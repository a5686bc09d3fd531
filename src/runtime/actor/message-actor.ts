/**
 * An actor with a mailbox: `createActor`, and beside it the message loop, the checkpoints and the drain. A kind brings what
 * is its own: how it opens, what it does with a message, the subjects it receives, and its state.
 */
import { fromPromise } from "xstate";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { EvaluationMeasured, Event, Progress } from "../../messages/index.ts";
import { type ActorMemory, NO_MEMORY } from "../artifacts/actor-memory.ts";
import type { Bus, ServiceEndpoint } from "../bus/bus.ts";
import type { Clock } from "../clock/clock.ts";
import { settlesWithin } from "../clock/index.ts";
import type { DropCounters } from "../stream/drop-counters.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor } from "./actor.ts";
import { type ControlChannel, createControlChannel, refuseCommand } from "./control-channel.ts";
import { createActor, type CreateActorOptions } from "./create-actor.ts";
import { createMailbox, type Mailbox, type Message } from "./mailbox.ts";
import { isTakingMessages, type MessageLifecycle, type MessageLifecycleEvent } from "./message-lifecycle.ts";
import { createMessageLoop, type MessageLoopOptions, type PerformOutcome } from "./message-loop.ts";
import { createStateSaver, type SaveMessage, type StatePosition } from "./state-saver.ts";

/** An actor that leaves waits so long until receivers have what it sent, ms: a server that restarts is back by then. */
const DRAIN_MS = 15_000;

export interface MessageActorOptions extends CreateActorOptions {
  /** Service name on the bus: `kn-block`. */
  readonly kind: string;
  readonly description: string;
  /** Messages of one kind that may wait. */
  readonly mailboxDepth: number;
}

export interface MessageActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: ActorMemory;
  readonly drops: DropCounters;
}

/** What a kind of actor brings. */
export interface MessageActorBehaviour<M extends Message> {
  readonly lifecycle: MessageLifecycle;
  readonly order: MessageLoopOptions;
  /** Subjects whose messages the service counts. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** Facts of other actors. */
  readonly watches: readonly { readonly actor: string; readonly listener: (event: Event) => void }[];
  /** Opens the mathematics. Runs before the first message. */
  readonly open: (saved: SafetensorsContent | undefined) => Promise<void>;
  readonly perform: (message: M) => Promise<PerformOutcome>;
  /** Its state, durable as a checkpoint. A snapshot changes nothing. */
  readonly snapshot: () => Promise<SafetensorsContent>;
  /** Whether it still awaits an answer; asked after a save. @default never */
  readonly isAwaiting?: () => boolean;
  /** Resolves when receivers have what it sent: before its last save. @default no receiver depends on it */
  readonly drain?: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly progress: () => Progress;
  /** Where the state stands, for checkpoints. */
  readonly position: () => StatePosition;
  readonly evaluation?: () => EvaluationMeasured | undefined;
  /** The connection came back: retransmit what may be lost. */
  readonly onReconnected: () => void;
}

export interface MessageActorParts<M extends Message> {
  readonly mailbox: Mailbox<M | SaveMessage>;
  readonly channel: ControlChannel;
  /** Training step `step` is finished: a generation prepared for it is saved before the next message. */
  readonly reached: (step: number) => void;
  /** Ends the actor with `error` after the message at hand: for an effect outside a message that cannot be repeated. */
  readonly fail: (error: Error) => void;
  /** An event of the kind's own activity. */
  readonly tell: (event: MessageLifecycleEvent) => void;
}

export function createMessageActor<M extends Message>(
  options: MessageActorOptions,
  deps: MessageActorDeps,
  build: (parts: MessageActorParts<M>) => MessageActorBehaviour<M>,
): Actor {
  const { run, id, fence } = options;
  const { bus, clock, log, memory, drops } = deps;
  const mailbox = createMailbox<M | SaveMessage>({ depth: options.mailboxDepth });
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const tell = (event: MessageLifecycleEvent): void => {
    actor.host.send(event);
  };
  const notRunning = (): KnowledgeNetError =>
    new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `answer a command to ${id}`,
      rule: "the actor must run",
      value: actor.state,
      remedy: "repeat it to the next incarnation",
    });
  let isRunning = false;

  const saver = createStateSaver(
    { id },
    {
      memory,
      log,
      queue(save) {
        if (mailbox.put(save)) return undefined;
        const parts = { attempt: `save ${id}`, rule: "its queue of saves must have room", remedy: "repeat it" };
        return isRunning ? new KnowledgeNetError("KN_OVERLOADED", parts) : notRunning();
      },
      snapshot: () => behaviour.snapshot(),
      position: () => behaviour.position(),
      emit: (fact, at) => {
        channel.emit(fact, at);
      },
      onState: (to) => {
        tell({ type: "CheckpointMoved", to });
      },
    },
  );
  const fail = (error: Error): void => {
    tell({ type: "Failed", error });
  };
  const behaviour = build({ mailbox, channel, reached: saver.reached, fail, tell });

  const loop = createMessageLoop<M | SaveMessage>(behaviour.order, {
    mailbox,
    async perform(message) {
      if (message.kind !== "save") return behaviour.perform(message as M);
      await saver.take(message as SaveMessage);
      return { isAwaiting: behaviour.isAwaiting?.() ?? false };
    },
    onTaken: () => {
      tell({ type: "MessageTaken" });
    },
    onSettled: (isAwaiting) => {
      tell({ type: "MessageSettled", isAwaiting });
    },
    onDropped: (error) => {
      drops.count(isKnowledgeNetError(error, "KN_STALE") ? "late" : "unexpected");
      log.warn({ actor: id, err: error }, "message dropped");
    },
    onFailed: fail,
  });

  /** Ends the input: finishes the message at hand, rejects those that wait, and waits for the write under way. */
  const finish = async (): Promise<void> => {
    isRunning = false;
    await loop.finish();
    mailbox.close(notRunning());
    await actor.detach();
    await saver.settled();
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: options.kind,
      description: options.description,
      chart: ({ open, close }) =>
        behaviour.lifecycle.provide({
          actors: {
            open,
            close,
            drain: fromPromise<void, { readonly isSaving: boolean }>(async ({ input }) => {
              await finish();
              if (!input.isSaving || behaviour.drain === undefined) return;
              if (!(await settlesWithin(DRAIN_MS, behaviour.drain(), clock)))
                log.warn({ actor: id }, "left before receivers have what it sent: they skip it");
            }),
            save: fromPromise(() => saver.saveLast()),
          },
          actions: {
            begin: () => {
              isRunning = true;
              loop.start();
            },
          },
        }),
      input: undefined,
      isReady: isTakingMessages,
      stopEvent: ({ isSaving = false }) => ({ type: "Stop", isSaving }) as const,
      endpoints: behaviour.endpoints,
      watches: behaviour.watches,
      async commands(command) {
        switch (command.kind) {
          case "SaveCheckpoint":
          case "PrepareCheckpoint":
          case "AbandonCheckpoint":
            if (memory === NO_MEMORY) throw refuseCommand(id, command);
            return saver.handle(command);
          default:
            throw refuseCommand(id, command);
        }
      },
      async open(signal) {
        const saved = await memory.restore();
        signal.throwIfAborted();
        await behaviour.open(saved);
      },
      async close() {
        await finish();
        await behaviour.close();
      },
      progress: behaviour.progress,
      ...(behaviour.evaluation === undefined ? {} : { evaluation: behaviour.evaluation }),
      stats: () => ({ mailbox: mailbox.size, mailboxLoad: mailbox.load, ...behaviour.progress() }),
      onReconnected: behaviour.onReconnected,
    },
  );
  return actor;
}
