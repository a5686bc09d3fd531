/**
 * Connections to a memory broker that drop, duplicate, delay and disconnect as a seed says. Without faults such a
 * connection is a bus like any other (test/contract/bus/lossy-bus.test.ts).
 *
 * @example
 * const { bus, disconnect } = lossyBus(broker, { draw: randomFrom(seed), dropRate: 0.1 }, { clock });
 */
import type { Bus, BusEvent, MemoryBroker } from "../../src/runtime/bus/index.ts";
import { type BusDeps, type BusLink, createLinkedBus } from "../../src/runtime/bus/link/index.ts";
import type { Clock } from "../../src/runtime/clock/index.ts";

export interface LossOptions {
  /** In [0, 1), as from `randomFrom(seed)`. */
  readonly draw: () => number;
  /** Of the messages sent, the part that is lost, @default 0 */
  readonly dropRate?: number;
  /** arrives twice, @default 0 */
  readonly duplicateRate?: number;
  /** or comes late, after messages that were sent later. @default 0 */
  readonly delayRate?: number;
  /** Longest delay, ms. @default 100 */
  readonly maxDelayMs?: number;
  /** Which subjects are affected. @default all */
  readonly affects?: (subject: string) => boolean;
}

export interface LossyBus {
  readonly bus: Bus;
  /** Cuts this connection alone: nothing comes or goes. */
  disconnect(): void;
  reconnect(): void;
  /** What was done to messages so far. */
  readonly counts: { readonly dropped: number; readonly duplicated: number; readonly delayed: number };
}

export function lossyBus(
  broker: MemoryBroker,
  options: LossOptions,
  deps: BusDeps & { readonly clock: Clock },
): LossyBus {
  const { draw, dropRate = 0, duplicateRate = 0, delayRate = 0, maxDelayMs = 100, affects = () => true } = options;
  const { clock } = deps;
  const link = broker.link();
  const listeners: Readonly<Record<BusEvent, Set<() => void>>> = { disconnected: new Set(), reconnected: new Set() };
  const counts = { dropped: 0, duplicated: 0, delayed: 0 };
  let isCut = false;
  let reconnects = 0;

  const send: BusLink["send"] = (subject, data, reply) => {
    if (isCut) return;
    if (!affects(subject)) {
      link.send(subject, data, reply);
      return;
    }
    const at = draw();
    if (at < dropRate) {
      counts.dropped += 1;
    } else if (at < dropRate + duplicateRate) {
      counts.duplicated += 1;
      link.send(subject, data, reply);
      link.send(subject, data, reply);
    } else if (at < dropRate + duplicateRate + delayRate) {
      counts.delayed += 1;
      clock.setTimeout(
        () => {
          if (!isCut) link.send(subject, data, reply);
        },
        Math.ceil(draw() * maxDelayMs),
      );
    } else link.send(subject, data, reply);
  };
  const lossy: BusLink = {
    description: link.description,
    maxPayloadBytes: link.maxPayloadBytes,
    closed: link.closed,
    get reconnects() {
      return link.reconnects + reconnects;
    },
    send,
    listen: (subject, queue, listener) =>
      link.listen(subject, queue, {
        ...listener,
        onMessage: (message) => {
          if (!isCut) listener.onMessage(message);
        },
      }),
    flush: () => (isCut ? Promise.reject(new Error("disconnected")) : link.flush()),
    close: () => link.close(),
    on(event, listener) {
      const entry = (): void => {
        listener();
      };
      listeners[event].add(entry);
      const remove = link.on(event, entry);
      return () => {
        listeners[event].delete(entry);
        remove();
      };
    },
  };
  const change = (cut: boolean, event: BusEvent): void => {
    if (isCut === cut) return;
    isCut = cut;
    if (!cut) reconnects += 1;
    for (const listener of [...listeners[event]]) listener();
  };
  return {
    bus: createLinkedBus(lossy, deps),
    disconnect: () => {
      change(true, "disconnected");
    },
    reconnect: () => {
      change(false, "reconnected");
    },
    counts,
  };
}
