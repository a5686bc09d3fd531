/**
 * `Bus` on core NATS. Beyond the port's contract: while the server is away, `publish` does not fail, but the message is
 * lost (nats.js empties its buffer at each attempt to reconnect); subscriptions are restored on reconnect. Credentials in the URL are used and never printed.
 */
import { KnowledgeNetError } from "../../../errors/index.ts";
import { connectNats, Events, messageOf, type NatsDeps, type NatsLink, type NatsOptions } from "../../nats/index.ts";
import type { Bus, BusEvent } from "../bus.ts";
import { type BusDeps, type BusLink, createLinkedBus } from "../link/index.ts";

/** Header code of the server's answer to a request without a receiver. */
const NO_RESPONDERS = 503;

/** Rejects as `connectNats`. */
export async function connectNatsBus(options: NatsOptions, deps: BusDeps & NatsDeps = {}): Promise<Bus> {
  return createLinkedBus(createNatsLink(await connectNats(options, deps)), deps);
}

function createNatsLink({ connection, description }: NatsLink): BusLink {
  const listeners: Readonly<Record<BusEvent, Set<() => void>>> = { disconnected: new Set(), reconnected: new Set() };
  let reconnects = 0;
  // The server's limits are unknown while it is away: the last ones hold.
  let maxPayloadBytes = connection.info?.max_payload ?? 0;

  const watchStatus = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) {
        for (const listener of [...listeners.disconnected]) listener();
      } else if (status.type === Events.Reconnect) {
        reconnects += 1;
        maxPayloadBytes = connection.info?.max_payload ?? maxPayloadBytes;
        for (const listener of [...listeners.reconnected]) listener();
      }
    }
  };
  void watchStatus();

  const ended = (cause: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `use the connection to ${description}`,
      rule: "it must be open",
      value: messageOf(cause),
      remedy: "connect again",
      cause,
    });

  return {
    description,
    closed: connection.closed().then((error) => (error === undefined || error === null ? undefined : ended(error))),
    get maxPayloadBytes() {
      return maxPayloadBytes;
    },
    get reconnects() {
      return reconnects;
    },
    send(subject, data, reply) {
      try {
        connection.publish(subject, data, reply === undefined ? {} : { reply });
      } catch (error) {
        throw ended(error);
      }
    },
    listen(subject, queue, listener) {
      const subscription = connection.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        // Must not throw: nats.js would end its reader, and the connection with it, without an error.
        callback(error, message) {
          if (error !== null) {
            listener.onRefused(notPermitted(subject, description, error));
            return;
          }
          const { data, reply } = message;
          listener.onMessage({
            subject: message.subject,
            // Never a Buffer, whose `slice` does not copy.
            data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
            reply: reply === undefined || reply === "" ? undefined : reply,
            isNoResponders: data.byteLength === 0 && message.headers?.code === NO_RESPONDERS,
          });
        },
      });
      return {
        end: () => {
          subscription.unsubscribe();
        },
        async drain() {
          // Rejects when it or the connection has ended already: nothing is left to drain.
          await subscription.drain().catch(() => undefined);
        },
      };
    },
    flush: () => connection.flush(),
    close: () => connection.close(),
    on(event, listener) {
      const entry = (): void => {
        listener();
      };
      listeners[event].add(entry);
      return () => {
        listeners[event].delete(entry);
      };
    },
  };
}

function notPermitted(subject: string, description: string, cause: Error): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `subscribe to "${subject}"`,
    rule: `${description} must permit it`,
    value: messageOf(cause),
    remedy: "give the user this permission in the server's configuration",
    cause,
  });
}
