/**
 * A broker inside the process, with the semantics of a NATS server: subjects with wildcards, queue groups,
 * no-responders, interruptions that lose the messages sent meanwhile. Several connections may share one.
 *
 * Delivery is asynchronous and in the order of publishing across all subscriptions: one queue, emptied in a microtask,
 * so never inside the publisher's call and never deeper than one handler. After `DELIVERIES_PER_TURN` it yields to the
 * event loop: actors that answer each other without end cannot starve timers and I/O.
 */
import type { Bus, BusEvent } from "../bus.ts";
import { type BusDeps, type BusLink, createLinkedBus, type LinkListener, type LinkMessage } from "../link/index.ts";
import { compileSubjectPattern } from "../subject-pattern.ts";

/** What nats-server can be set to; its default is 1 MiB. */
const DEFAULT_MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

/** Handlers called in a row before timers and I/O get their turn. At about 5 us each this is some ms. */
const DELIVERIES_PER_TURN = 1_000;

export interface MemoryBrokerOptions {
  /** Largest message, bytes. @default 8 MiB */
  readonly maxPayloadBytes?: number;
}

export interface MemoryBroker {
  /** A connection of its own: own counters, own `close`. */
  connect(deps?: BusDeps): Bus;
  /** The link of a connection, for a bus that does more to it than `connect`. */
  link(): BusLink;
  /** Cuts all connections, as a server that goes down: each emits `disconnected`; published messages are lost. */
  interrupt(): void;
  /** Ends the interruption: subscriptions continue, each connection emits `reconnected`. */
  restore(): void;
}

interface Listening {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly matches: (subject: string) => boolean;
  readonly listener: LinkListener;
  isEnded: boolean;
}

export function createMemoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  const { maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES } = options;
  const listening = new Set<Listening>();
  const links = new Set<{ emit(event: BusEvent): void }>();
  /** Messages so far of each queue group, whose members take turns. */
  const turns = new Map<string, number>();
  let isUp = true;

  let waiting: (() => void)[] = [];
  let isScheduled = false;
  let left = DELIVERIES_PER_TURN;
  let isTurnWatched = false;

  const pump = (): void => {
    isScheduled = false;
    const batch = waiting;
    waiting = [];
    for (const [i, deliver] of batch.entries()) {
      if (left === 0) {
        waiting = [...batch.slice(i), ...waiting];
        break;
      }
      left -= 1;
      deliver();
    }
    if (waiting.length > 0) schedule();
  };

  const schedule = (): void => {
    if (!isTurnWatched) {
      isTurnWatched = true;
      setImmediate(() => {
        isTurnWatched = false;
        left = DELIVERIES_PER_TURN;
        if (waiting.length > 0) schedule();
      });
    }
    if (isScheduled || left === 0) return;
    isScheduled = true;
    queueMicrotask(pump);
  };

  const enqueue = (deliver: () => void): void => {
    waiting.push(deliver);
    schedule();
  };

  /**
   * Everybody outside queue groups and one member of each group; a group is its name, whatever its members' patterns.
   */
  const receivers = (subject: string): Listening[] => {
    const chosen: Listening[] = [];
    const groups = new Map<string, Listening[]>();
    for (const entry of listening) {
      if (!entry.matches(subject)) continue;
      if (entry.queue === undefined) chosen.push(entry);
      else groups.set(entry.queue, [...(groups.get(entry.queue) ?? []), entry]);
    }
    for (const [name, members] of groups) {
      const turn = turns.get(name) ?? 0;
      turns.set(name, turn + 1);
      const member = members[turn % members.length];
      if (member !== undefined) chosen.push(member);
    }
    return chosen;
  };

  const deliver = (entry: Listening, message: LinkMessage): void => {
    enqueue(() => {
      if (!entry.isEnded) entry.listener.onMessage(message);
    });
  };

  const send: BusLink["send"] = (subject, data, reply) => {
    if (!isUp) return;
    const found = receivers(subject);
    for (const entry of found) deliver(entry, { subject, data, reply, isNoResponders: false });
    if (found.length > 0 || reply === undefined) return;
    const status: LinkMessage = { subject: reply, data: new Uint8Array(0), reply: undefined, isNoResponders: true };
    for (const entry of receivers(reply)) deliver(entry, status);
  };

  const createLink = (): BusLink => {
    const own = new Set<Listening>();
    const listeners: Readonly<Record<BusEvent, Set<() => void>>> = { disconnected: new Set(), reconnected: new Set() };
    let reconnects = 0;
    let resolveClosed: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => {
      resolveClosed = resolve;
    });
    const connection = {
      emit(event: BusEvent) {
        if (event === "reconnected") reconnects += 1;
        for (const listener of [...listeners[event]]) listener();
      },
    };
    links.add(connection);
    const forget = (entry: Listening): void => {
      listening.delete(entry);
      own.delete(entry);
    };
    const end = (entry: Listening): void => {
      entry.isEnded = true;
      forget(entry);
    };
    return {
      description: "memory",
      maxPayloadBytes,
      closed,
      get reconnects() {
        return reconnects;
      },
      send,
      listen(subject, queue, listener) {
        const entry: Listening = { subject, queue, matches: compileSubjectPattern(subject), listener, isEnded: false };
        listening.add(entry);
        own.add(entry);
        return {
          end: () => {
            end(entry);
          },
          drain() {
            forget(entry);
            return new Promise((resolve) => {
              enqueue(() => {
                entry.isEnded = true;
                resolve();
              });
            });
          },
        };
      },
      flush() {
        if (!isUp) return Promise.reject(new Error("the memory broker is interrupted"));
        return new Promise((resolve) => {
          enqueue(resolve);
        });
      },
      close() {
        for (const entry of [...own]) end(entry);
        links.delete(connection);
        resolveClosed();
        return Promise.resolve();
      },
      on(event, listener) {
        // Its own function per call, so that one listener added twice is removed once.
        const entry = (): void => {
          listener();
        };
        listeners[event].add(entry);
        return () => {
          listeners[event].delete(entry);
        };
      },
    };
  };

  const change = (up: boolean, event: BusEvent): void => {
    if (isUp === up) return;
    isUp = up;
    for (const link of [...links]) link.emit(event);
  };

  return {
    connect: (deps) => createLinkedBus(createLink(), deps),
    link: createLink,
    interrupt: () => {
      change(false, "disconnected");
    },
    restore: () => {
      change(true, "reconnected");
    },
  };
}
