/**
 * An actor that works through its mail: the mail machine, its mailbox, its service on the bus, its commands and its
 * checkpoints, put together once for every kind. A kind brings what is its own: how to open, what to do with a message,
 * which subjects it hears, and what its state is.
 */
import { type EventFromLogic, fromPromise } from "xstate";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { EvaluationMeasured, Event, Progress } from "../../messages/index.ts";
import type { Bus, Service, ServiceEndpoint, Subscription } from "../bus/bus.ts";
import { type ActorMemory, NO_MEMORY } from "../artifacts/actor-memory.ts";
import type { Clock } from "../clock/clock.ts";
import { settlesWithin } from "../clock/index.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor } from "./actor.ts";
import { type ControlChannel, createControlChannel, refuseCommand } from "./control-channel.ts";
import type { DropCounters } from "../stream/drop-counters.ts";
import { hostMachine } from "./machine-host.ts";
import { createMailbox, type Mailbox, type Message as Mail } from "./mailbox.ts";
import { createStateSaver, type SaveMessage, type SaverState, type StatePosition } from "./state-saver.ts";
import type { mailMachine, PerformOutcome } from "./mail-machine.ts";

/** How long one that leaves waits for others to take what it has sent, ms: a server that restarts is back by then. */
const DRAIN_MS = 15_000;

export interface MailActorOptions {
  readonly run: string;
  readonly id: string;
  /** Service name on the bus: `kn-block`. */
  readonly kind: string;
  readonly description: string;
  readonly softwareVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Fence of its lease; 0: it has none. */
  readonly fence: number;
  /** Messages of one kind that may wait. */
  readonly mailboxDepth: number;
}

export interface MailActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: ActorMemory;
  readonly drops: DropCounters;
}

/** What a kind of actor brings. */
export interface MailActorBehaviour<M extends Mail> {
  readonly machine: ReturnType<typeof mailMachine>;
  /** Subjects whose messages the service counts. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** Facts of other actors that it listens to. */
  readonly watches: readonly { readonly actor: string; readonly listener: (event: Event) => void }[];
  /** Opens the mathematics. Runs before the first message. */
  readonly open: (saved: SafetensorsContent | undefined) => Promise<void>;
  readonly perform: (mail: M) => Promise<PerformOutcome>;
  /** Its state, durable as a checkpoint. Saving leaves everything as it is. */
  readonly snapshot: () => Promise<SafetensorsContent>;
  /** Whether it still waits for an answer; asked after a save. */
  readonly isAwaiting: () => boolean;
  /** Resolves when others have what it has sent them: before it leaves, and its last save. @default nobody depends on that */
  readonly drain?: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly progress: () => Progress;
  /** Where the state stands, for checkpoints. */
  readonly position: () => StatePosition;
  readonly evaluation?: () => EvaluationMeasured | undefined;
  /** After the connection came back: send again what may be lost. */
  readonly onReconnected: () => void;
}

export interface MailActorParts<M extends Mail> {
  readonly mailbox: Mailbox<M | SaveMessage>;
  readonly channel: ControlChannel;
  /** Training step `step` is finished: a generation prepared for it is saved before the next message. */
  readonly reached: (step: number) => void;
  /** Ends the actor with `error` after the message at hand: for what fails outside a message, and cannot be repeated. */
  readonly fail: (error: Error) => void;
}

export function createMailActor<M extends Mail>(
  options: MailActorOptions,
  deps: MailActorDeps,
  build: (parts: MailActorParts<M>) => MailActorBehaviour<M>,
): Actor {
  const { run, id, fence } = options;
  const { bus, clock, log, memory, drops } = deps;
  const mailbox = createMailbox<M | SaveMessage>({ depth: options.mailboxDepth });
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const subscriptions: Subscription[] = [];
  let service: Service | undefined;
  let forgetReconnect: () => void = () => undefined;
  let wanted: (M | SaveMessage)["kind"][] = [];
  let isSavingLast = false;

  const ended = (): KnowledgeNetError =>
    new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `answer a command to ${id}`,
      rule: "the actor must run",
      value: host.state,
      remedy: "repeat it to the next incarnation",
    });
  let saverState: SaverState = "clean";
  const saver = createStateSaver(
    { id },
    {
      memory,
      log,
      queue(save) {
        if (mailbox.put(save)) return undefined;
        const parts = { attempt: `save ${id}`, rule: "its queue of saves must have room", remedy: "repeat it" };
        return host.state.startsWith("running") ? new KnowledgeNetError("KN_OVERLOADED", parts) : ended();
      },
      snapshot: () => behaviour.snapshot(),
      position: () => behaviour.position(),
      emit: (fact, at) => {
        channel.emit(fact, at);
      },
      onState: (entered) => {
        saverState = entered;
      },
    },
  );
  const fail = (error: Error): void => {
    host.send({ type: "Failed", error } satisfies EventFromLogic<typeof machine>);
  };
  const behaviour = build({ mailbox, channel, reached: saver.reached, fail });

  const commands = channel.commands(async (command) => {
    switch (command.kind) {
      case "ReportState": {
        const evaluation = behaviour.evaluation?.();
        const progress = behaviour.progress();
        return { kind: "ActorState", state: host.state, progress, ...(evaluation === undefined ? {} : { evaluation }) };
      }
      case "SaveCheckpoint":
      case "PrepareCheckpoint":
      case "AbandonCheckpoint":
        if (memory === NO_MEMORY) throw refuseCommand(id, command);
        return saver.handle(command);
      case "StopActor":
        host.send({ type: "Stop" });
        return { kind: "Done" };
      default:
        throw refuseCommand(id, command);
    }
  });

  const open = async (): Promise<void> => {
    await behaviour.open(await memory.restore());
    for (const { actor, listener } of behaviour.watches) subscriptions.push(channel.watch(actor, listener));
    service = await bus.service({
      name: options.kind,
      version: options.softwareVersion,
      description: options.description,
      metadata: { run, actor: id, fence: String(fence), ...options.metadata },
      endpoints: [...behaviour.endpoints, commands],
      stats: () => ({
        state: host.state,
        checkpoint: saverState,
        mailbox: mailbox.size,
        mailboxLoad: mailbox.load,
        ...behaviour.progress(),
      }),
    });
    forgetReconnect = bus.on("reconnected", behaviour.onReconnected);
  };

  const close = async (): Promise<void> => {
    mailbox.close(ended());
    await service?.stop();
    await saver.settled();
    if (isSavingLast) {
      if (behaviour.drain !== undefined && !(await settlesWithin(DRAIN_MS, behaviour.drain(), clock)))
        log.warn({ actor: id }, "leaves before others have what it sent: they do without");
      await saver.saveLast();
    }
    forgetReconnect();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await behaviour.close();
  };

  const machine = behaviour.machine.provide({
    actors: {
      open: fromPromise(open),
      perform: fromPromise<PerformOutcome>(async () => {
        const mail = mailbox.take(wanted);
        if (mail === undefined) throw new TypeError(`${id} was notified of a message that is not in its mailbox`);
        if (mail.kind !== "save") return await behaviour.perform(mail as M);
        await saver.take(mail as SaveMessage);
        return { isAwaiting: behaviour.isAwaiting() };
      }),
      close: fromPromise(close),
    },
    actions: {
      requestMail: (_, kinds) => {
        wanted = kinds as (M | SaveMessage)["kind"][];
        mailbox.whenAvailable(wanted, () => {
          // Not at once: an event sent from within the machine's own entry action would be taken as its own.
          queueMicrotask(() => {
            host.send({ type: "Mail" } satisfies EventFromLogic<typeof machine>);
          });
        });
      },
      dropCurrent: (_, error) => {
        drops.count(isKnowledgeNetError(error, "KN_STALE") ? "late" : "unexpected");
        log.warn({ actor: id, err: error }, "message given up");
      },
    },
  });

  const host = hostMachine(machine, undefined as never, {
    clock,
    onState: (state) => {
      // Between messages the state changes hundreds of times a second; only the others are news.
      if (!state.startsWith("running.")) channel.emit({ kind: "StateEntered", state });
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
      await host.waitFor((state) => state.startsWith("running"));
      channel.emit({ kind: "StateEntered", state: "running" });
    },
    async stop({ isSaving = false } = {}) {
      isSavingLast ||= isSaving;
      host.send({ type: "Stop" });
      await host.ended;
    },
  };
}
