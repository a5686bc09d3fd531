/** Commands to an actor as requests on `ctl.<actor>`, and its facts on `evt.<actor>`. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Command,
  type CommandReply,
  decodeCommand,
  decodeCommandReply,
  decodeEvent,
  encodeCommand,
  encodeCommandReply,
  encodeEvent,
  errorOf,
  type Event,
  failureOf,
  runSubject,
} from "../../messages/index.ts";
import type { Bus, RequestOptions, ServiceEndpoint, Subscription } from "../bus/bus.ts";
import type { Clock } from "../clock/clock.ts";
import { createFenceGuard } from "../stream/fence-guard.ts";
import type { Logger } from "../telemetry/logger.ts";

export interface ControlChannelOptions {
  readonly run: string;
  /** The actor that sends. */
  readonly actor: string;
  /** Fence of its lease. @default 0: it has none */
  readonly fence?: number;
}

export interface ControlChannelDeps {
  readonly bus: Bus;
  readonly log: Logger;
}

/** Position of a fact in the stream. */
export interface Position {
  readonly sequence: number;
  readonly step: number;
  readonly version: number;
}

const NOWHERE: Position = { sequence: 0, step: 0, version: 0 };

export interface ControlChannel {
  /** Publishes a fact. A closed bus is no error here: facts are cumulative, the next one catches up. */
  emit(fact: Event["fact"], position?: Position): void;
  /**
   * Subscribes to the facts of one actor, or of all with `*`. Drops undecodable ones, those of earlier incarnations, and
   * those whose sender is not the actor of the subject.
   */
  watch(actor: string, listener: (event: Event) => void): Subscription;
  /** The endpoint that answers commands; an error of `handle` becomes a Failure reply. */
  commands(handle: (command: Command) => Promise<CommandReply>): ServiceEndpoint;
  /** Sends a command. Rejects with what the receiver failed with, or KN_UNAVAILABLE. */
  order(actor: string, command: Command, options?: RequestOptions): Promise<CommandReply>;
}

export function createControlChannel(
  { run, actor, fence = 0 }: ControlChannelOptions,
  { bus, log }: ControlChannelDeps,
): ControlChannel {
  const guard = createFenceGuard(fence);
  return {
    emit(fact, position = NOWHERE) {
      const header = { run, sender: actor, fence, ...position };
      try {
        bus.publish(runSubject(run, "evt", actor), encodeEvent({ header, fact }));
      } catch (error) {
        log.debug({ err: error, fact: fact.kind }, "fact not published");
      }
    },
    watch(watched, listener) {
      const subject = watched === "*" ? `kn.v1.${run}.evt.*` : runSubject(run, "evt", watched);
      return bus.subscribe(subject, ({ data, subject: origin }) => {
        let event: Event;
        try {
          event = decodeEvent(data);
        } catch (error) {
          log.warn({ err: error, subject: origin }, "undecodable event dropped");
          return;
        }
        const { sender, fence: senderFence } = event.header;
        if (event.header.run !== run || origin !== runSubject(run, "evt", sender)) {
          log.warn({ subject: origin, sender }, "event dropped: its sender is not the actor of its subject");
        } else if (guard.admit(sender, senderFence)) {
          listener(event);
        }
      });
    },
    commands(handle) {
      const answer = async (data: Uint8Array): Promise<CommandReply> => {
        try {
          return await handle(decodeCommand(data));
        } catch (error) {
          return failureOf(error);
        }
      };
      return {
        name: "control",
        subject: runSubject(run, "ctl", actor),
        handler: async (message) => {
          message.respond(encodeCommandReply(await answer(message.data)));
        },
      };
    },
    async order(receiver, command, options) {
      const { data } = await bus.request(runSubject(run, "ctl", receiver), encodeCommand(command), options);
      const reply = decodeCommandReply(data);
      if (reply.kind === "Failure") throw errorOf(reply);
      return reply;
    },
  };
}

/** Pause between two tries to reach an actor, ms. */
const RETRY_MS = 100;

/** Sends a command until there is an answer: an actor may still be starting, or moving, or the connection coming back. */
export async function requestWithRetry(
  channel: ControlChannel,
  actor: string,
  command: Command,
  { clock, deadlineMs, signal }: { readonly clock: Clock; readonly deadlineMs: number; readonly signal: AbortSignal },
): Promise<CommandReply> {
  for (;;) {
    try {
      // A signal of its own for each request: many of them at once are no leak, which Node would warn of.
      return await channel.order(actor, command, { signal: AbortSignal.any([signal]) });
    } catch (error) {
      signal.throwIfAborted();
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE") || clock.now() >= deadlineMs) throw error;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** Works for all items at a time; the first failure aborts the others, and rejects. */
export async function allOrAbort<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    return await Promise.all(items.map((item) => work(item, either)));
  } finally {
    ending.abort();
  }
}

/** The answer to a command that this kind of actor does not take. */
export function refuseCommand(actor: string, command: Command): KnowledgeNetError {
  return new KnowledgeNetError("KN_INVARIANT", {
    attempt: `command ${actor}`,
    rule: "an actor must be sent only the commands of its kind",
    value: command.kind,
  });
}
