/**
 * A bus that sends nothing while the holder's leases are unconfirmed: publications are lost, as while the broker is
 * unreachable; requests are refused; commands get no answer. Receiving continues. So a process that was suspended or
 * disconnected sends nothing under a fencing token that may be stale.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Bus, BusHandler } from "../bus/bus.ts";

export interface ConfirmedBus extends Bus {
  /** Emits `reconnected`, so that listeners retransmit unsent messages: the leases are confirmed again. */
  resume(): void;
}

export function confirmedBus(bus: Bus, isConfirmed: () => boolean): ConfirmedBus {
  const onReconnected = new Set<() => void>();
  const whileConfirmed =
    (handle: BusHandler): BusHandler =>
    (message) =>
      isConfirmed() ? handle(message) : undefined;
  return {
    get description() {
      return bus.description;
    },
    get maxPayloadBytes() {
      return bus.maxPayloadBytes;
    },
    get stats() {
      return bus.stats;
    },
    get services() {
      return bus.services;
    },
    closed: bus.closed,
    publish(subject, data, options) {
      if (isConfirmed()) bus.publish(subject, data, options);
    },
    subscribe: (subject, handler, options) => bus.subscribe(subject, handler, options),
    async request(subject, data, options) {
      if (!isConfirmed()) throw unconfirmed(subject);
      return bus.request(subject, data, options);
    },
    service: ({ endpoints, ...definition }) =>
      bus.service({
        ...definition,
        endpoints: endpoints.map(({ handler, ...endpoint }) => ({ ...endpoint, handler: whileConfirmed(handler) })),
      }),
    on(event, listener) {
      const entry = (): void => {
        listener();
      };
      if (event === "reconnected") onReconnected.add(entry);
      const forget = bus.on(event, entry);
      return () => {
        onReconnected.delete(entry);
        forget();
      };
    },
    resume() {
      if (isConfirmed()) for (const listener of [...onReconnected]) listener();
    },
    flush: () => bus.flush(),
    drain: () => bus.drain(),
    close: () => bus.close(),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

function unconfirmed(subject: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `send a request on ${subject}`,
    rule: "the sender's lease must be confirmed",
    value: "not renewed within its time to live",
    remedy: "no action: it is sent again once the store confirms the lease",
  });
}
