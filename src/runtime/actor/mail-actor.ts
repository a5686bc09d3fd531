/**
 * An actor that works through its mail: the mail machine, its mailbox, its service on the bus, its commands and its
 * checkpoints, put together once for every kind. A kind brings what is its own: how to open, what to do with a message,
 * which subjects it hears, and what its state is.
 */
import { type EventFromLogic, fromPromise } from "xstate";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { CommandReply, EvaluationMeasured, Event, Progress } from "../../messages/index.ts";
import type { Bus, Service, ServiceEndpoint, Subscription } from "../bus/bus.ts";
import { type ActorMemory, NO_MEMORY } from "../artifacts/actor-memory.ts";
import type { Clock } from "../clock/clock.ts";
import { endsWithin } from "../clock/ends-within.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor } from "./actor.ts";
import { type ControlChannel, createControlChannel, type Position, refuseCommand } from "./control-channel.ts";
import type { DropCounters } from "../stream/drop-counters.ts";
import { hostMachine } from "./machine-host.ts";
import { createMailbox, type Mail, type Mailbox } from "./mailbox.ts";
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

/** A command to save, as mail: it takes its turn between two messages. */
export interface SaveMail extends Mail {
  readonly kind: "save";
  readonly generation: number;
  readonly done: (reply: CommandReply) => void;
  readonly failed: (error: unknown) => void;
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
  readonly evaluation?: () => EvaluationMeasured | undefined;
  /** After the connection came back: send again what may be lost. */
  readonly onReconnected: () => void;
}

export interface MailActorParts<M extends Mail> {
  readonly mailbox: Mailbox<M | SaveMail>;
  readonly channel: ControlChannel;
  /** Saves in turn, between two messages, without being asked; a failure is logged and the next one tries again. */
  readonly saveSoon: (generation: number) => void;
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
  const mailbox = createMailbox<M | SaveMail>({ depth: options.mailboxDepth });
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const subscriptions: Subscription[] = [];
  let service: Service | undefined;
  let forgetReconnect: () => void = () => undefined;
  let current: M | SaveMail | undefined;
  let isSavingLast = false;

  /** The write under way. Training goes on meanwhile: only the snapshot takes its turn between two messages. */
  let writing: Promise<void> | undefined;

  const write = async (mail: SaveMail, content: SafetensorsContent, at: Position): Promise<void> => {
    try {
      const info = await memory.save(mail.generation, content);
      const fact = { kind: "CheckpointSaved", ...info } as const;
      channel.emit(fact, at);
      mail.done(fact);
    } catch (error) {
      // A full disk must not end the training that is still in memory: the coordinator hears of it and decides.
      mail.failed(error);
    }
  };

  const save = async (mail: SaveMail): Promise<PerformOutcome> => {
    try {
      const content = await behaviour.snapshot();
      const at = { sequence: behaviour.progress().consumed, step: mail.generation, version: 0 };
      const before = writing;
      const now: Promise<void> = (before ?? Promise.resolve())
        .then(() => write(mail, content, at))
        .finally(() => {
          if (writing === now) writing = undefined;
        });
      writing = now;
    } catch (error) {
      mail.failed(error);
      throw error;
    }
    return { isAwaiting: behaviour.isAwaiting() };
  };

  let lastSave: { readonly generation: number; readonly reply: Promise<CommandReply> } | undefined;
  const queueSave = (generation: number): Promise<CommandReply> =>
    new Promise((done, failed) => {
      if (mailbox.put({ kind: "save", generation, done, failed })) return;
      const parts = { attempt: `save ${id}`, rule: "a save must not wait behind others", remedy: "repeat it" };
      failed(new KnowledgeNetError("KN_OVERLOADED", parts));
    });

  const saveSoon = (generation: number): void => {
    // A slow disk or link: what is being written is new enough, and content does not pile up in memory.
    if (lastSave?.generation === generation || writing !== undefined) return;
    const reply = queueSave(generation);
    lastSave = { generation, reply };
    reply.catch((error: unknown) => {
      lastSave = undefined;
      log.warn({ actor: id, generation, err: error }, "checkpoint not written");
    });
  };
  const fail = (error: Error): void => {
    host.send({ type: "Failed", error } satisfies EventFromLogic<typeof machine>);
  };
  const behaviour = build({ mailbox, channel, saveSoon, fail });

  const commands = channel.commands(async (command) => {
    switch (command.kind) {
      case "ReportState": {
        const evaluation = behaviour.evaluation?.();
        const progress = behaviour.progress();
        return { kind: "ActorState", state: host.state, progress, ...(evaluation === undefined ? {} : { evaluation }) };
      }
      case "SaveCheckpoint":
        // The coordinator repeats itself when the answer is slow or lost: the same save answers all of them.
        if (lastSave?.generation !== command.generation) {
          lastSave = { generation: command.generation, reply: queueSave(command.generation) };
          lastSave.reply.catch(() => {
            lastSave = undefined; // a failed one may be tried again
          });
        }
        return await lastSave.reply;
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
      stats: () => ({ state: host.state, mailbox: mailbox.size, ...behaviour.progress() }),
    });
    forgetReconnect = bus.on("reconnected", behaviour.onReconnected);
  };

  /** The state that it leaves with, where it is newer than what was saved last. A failure is logged: older ones stay. */
  const saveLast = async (): Promise<void> => {
    const { step: generation, consumed: sequence } = behaviour.progress();
    if (memory === NO_MEMORY || generation === 0 || generation === lastSave?.generation) return;
    try {
      await memory.save(generation, await behaviour.snapshot());
      log.info({ actor: id, generation, sequence }, "saved before leaving");
    } catch (error) {
      log.warn(
        { actor: id, generation, err: error },
        "leaves without saving; it will go on from what was saved before",
      );
    }
  };

  const close = async (): Promise<void> => {
    await service?.stop();
    mailbox.clear();
    await writing;
    if (isSavingLast) {
      if (behaviour.drain !== undefined && !(await endsWithin(DRAIN_MS, behaviour.drain(), clock)))
        log.warn({ actor: id }, "leaves before others have what it sent: they do without");
      await saveLast();
    }
    forgetReconnect();
    for (const subscription of subscriptions) subscription.unsubscribe();
    await behaviour.close();
  };

  const machine = behaviour.machine.provide({
    actors: {
      open: fromPromise(open),
      perform: fromPromise<PerformOutcome>(async () => {
        const mail = current;
        current = undefined;
        if (mail === undefined) throw new TypeError(`${id} was told of mail that is not there`);
        return mail.kind === "save" ? await save(mail as SaveMail) : await behaviour.perform(mail as M);
      }),
      close: fromPromise(close),
    },
    actions: {
      requestMail: (_, kinds) => {
        mailbox.request(kinds as (M | SaveMail)["kind"][], (mail) => {
          current = mail;
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
