/**
 * One actor of any kind: its chart, its service on the bus, its commands and facts. A kind brings its chart and its
 * effects; opening, registration, the common commands, publication of states and closing are the same for all.
 *
 * - `ReportState` and `StopActor` are answered here, every other command by the kind.
 * - A chart invokes `open` and `close`, takes `Stop`, and ends in a final state with `{ error?: Error }` as output.
 * - Closing waits for an opening that is under way, so that nothing is registered or opened after the end.
 * - States tagged `brief` last for one message: their parent's name is published instead.
 */
import { type AnyStateMachine, type EventFromLogic, fromPromise, type InputFrom, type PromiseActorLogic } from "xstate";
import type { Command, CommandReply, EvaluationMeasured, Event, Progress } from "../../messages/index.ts";
import type { Bus, Service, ServiceEndpoint, Subscription } from "../bus/bus.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor, StopOptions } from "./actor.ts";
import type { ControlChannel } from "./control-channel.ts";
import { hostMachine, type MachineHost } from "./machine-host.ts";

export interface CreateActorOptions {
  readonly run: string;
  readonly id: string;
  /** Fencing token of its lease; 0: it has none. */
  readonly fence: number;
  readonly softwareVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface CreateActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly channel: ControlChannel;
}

/** The effects that a chart invokes at its beginning and its end. */
export interface LifecycleEffects {
  readonly open: PromiseActorLogic<void>;
  readonly close: PromiseActorLogic<void>;
}

export interface ActorDefinition<M extends AnyStateMachine> {
  /** Service name on the bus: `kn-block`. */
  readonly kind: string;
  readonly description: string;
  readonly chart: (effects: LifecycleEffects) => M;
  readonly input: InputFrom<M>;
  /** Whether the actor is ready for its first message in this state. */
  readonly isReady: (state: string) => boolean;
  /** The event that asks the actor to end. */
  readonly stopEvent: (options: StopOptions) => EventFromLogic<M>;
  /** Subjects whose messages the service counts. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** Facts of other actors, once it is open. */
  readonly watches: readonly { readonly actor: string; readonly listener: (event: Event) => void }[];
  readonly commands: (command: Command) => Promise<CommandReply>;
  /** Opens what the actor works with, before its service is registered. Rejects on abort with `signal.reason`. */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /** Closes it, after the service has ended. Called once, also when `open` failed. */
  readonly close: () => Promise<void>;
  readonly progress: () => Progress;
  readonly evaluation?: () => EvaluationMeasured | undefined;
  /** Figures for `nats service stats`, besides the state. */
  readonly stats: () => Readonly<Record<string, unknown>>;
  /** The connection came back: retransmit what may be lost. */
  readonly onReconnected: () => void;
  /** Called with each state that is entered. @returns false for a state that the kind publishes itself */
  readonly onState?: (state: string) => boolean;
}

export interface HostedActor<M extends AnyStateMachine> extends Actor {
  readonly host: MachineHost<M>;
  /** Ends the service: no message or command arrives any more. Safe to call twice. */
  detach(): Promise<void>;
}

export function createActor<M extends AnyStateMachine>(
  { run, id, fence, softwareVersion, metadata }: CreateActorOptions,
  { bus, clock, log, channel }: CreateActorDeps,
  definition: ActorDefinition<M>,
): HostedActor<M> {
  const stopping = new AbortController();
  const subscriptions: Subscription[] = [];
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let service: Service | undefined;
  let forgetReconnect: () => void = () => undefined;

  const commands = channel.commands(async (command) => {
    switch (command.kind) {
      case "ReportState": {
        const evaluation = definition.evaluation?.();
        const progress = definition.progress();
        return { kind: "ActorState", state: host.state, progress, ...(evaluation === undefined ? {} : { evaluation }) };
      }
      case "StopActor":
        stop({});
        return { kind: "Done" };
      default:
        return definition.commands(command);
    }
  });

  const open = async (): Promise<void> => {
    const { signal } = stopping;
    await definition.open(signal);
    signal.throwIfAborted();
    for (const { actor, listener } of definition.watches) subscriptions.push(channel.watch(actor, listener));
    service = await bus.service({
      name: definition.kind,
      version: softwareVersion,
      description: definition.description,
      metadata: { run, actor: id, fence: String(fence), ...metadata },
      endpoints: [...definition.endpoints, commands],
      stats: () => ({ state: host.state, ...host.regions, ...definition.stats() }),
    });
    forgetReconnect = bus.on("reconnected", definition.onReconnected);
  };

  const detach = async (): Promise<void> => {
    const ending = service;
    service = undefined;
    await ending?.stop();
  };

  const closeAll = async (): Promise<void> => {
    stopping.abort();
    await opening?.catch(() => undefined);
    try {
      await detach();
    } finally {
      forgetReconnect();
      for (const subscription of subscriptions) subscription.unsubscribe();
      await definition.close();
    }
  };
  const close = (): Promise<void> => (closing ??= closeAll());

  const chart = definition.chart({
    open: fromPromise(() => (opening ??= open())),
    close: fromPromise(close),
  });
  const host = hostMachine(chart, definition.input, {
    clock,
    onState: (state) => {
      if (definition.onState?.(state) !== false) channel.emit({ kind: "StateEntered", state });
    },
  });

  const stop = (options: StopOptions): void => {
    // Only an opening is interrupted: an actor that runs finishes its message.
    if (!definition.isReady(host.state)) stopping.abort();
    host.send(definition.stopEvent(options));
  };

  const ended = host.ended.then(async (error) => {
    // A chart may end without closing; and an actor that could not be closed has ended all the same.
    await close().catch((cause: unknown) => {
      log.warn({ actor: id, err: cause }, "not closed cleanly");
    });
    return error;
  });

  return {
    id,
    host,
    get state() {
      return host.state;
    },
    ended,
    detach,
    async start() {
      host.start();
      await host.waitFor(definition.isReady);
    },
    async stop(options = {}) {
      stop(options);
      await ended;
    },
  };
}
