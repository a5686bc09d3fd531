/**
 * `Bus` over a `BusLink`: the part that all technologies share. It checks messages before they are sent, runs handlers and
 * passes their errors to one listener, counts, and builds requests and services from subscriptions.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../../errors/index.ts";
import { type Clock, systemClock } from "../../clock/index.ts";
import type {
  Bus,
  BusHandler,
  BusMessage,
  HandlerErrorListener,
  ServiceDefinition,
  SubscribeOptions,
  Subscription,
} from "../bus.ts";
import { assertLiteralSubject, assertSubjectPattern } from "../subject-pattern.ts";
import type { BusLink, LinkMessage } from "./bus-link.ts";
import { createRequestInbox } from "./request-inbox.ts";
import { startService } from "./service.ts";

/** How long `Bus.drain` waits for unfinished handlers, ms: a handler that awaits the drain itself never finishes. */
const DRAIN_GRACE_MS = 5_000;

export interface BusDeps {
  /** Called with a handler's error, and with the broker's refusal of a subscription. @default an uncaught exception */
  readonly onHandlerError?: HandlerErrorListener;
  /** For time-outs and the statistics of services. @default the real one */
  readonly clock?: Clock;
}

export function createLinkedBus(link: BusLink, deps: BusDeps = {}): Bus {
  const { onHandlerError = rethrow, clock = systemClock() } = deps;
  const subscriptions = new Set<Subscription>();
  const services = new Set<ServiceDefinition>();
  const running = new Set<Promise<void>>();
  const counters = { publishedMessages: 0, publishedBytes: 0, receivedMessages: 0, receivedBytes: 0 };
  let state: "open" | "draining" | "closed" = "open";
  let closing: Promise<void> | undefined;
  let draining: Promise<void> | undefined;

  const assertOpen = (attempt: string, isAllowedInDrain: boolean): void => {
    if (state === "open" || (state === "draining" && isAllowedInDrain)) return;
    throw unusable(attempt, link.description, state);
  };

  const count = (data: Uint8Array): void => {
    counters.receivedMessages += 1;
    counters.receivedBytes += data.byteLength;
  };

  const publish: Bus["publish"] = (subject, data, options) => {
    const attempt = `publish on "${subject}"`;
    assertOpen(attempt, true);
    assertLiteralSubject(subject, "publish");
    if (options?.reply !== undefined) assertLiteralSubject(options.reply, `${attempt} with a reply subject`);
    if (data.byteLength > link.maxPayloadBytes) {
      throw new KnowledgeNetError("KN_OVERLOADED", {
        attempt,
        rule: `${link.description} takes messages of at most ${link.maxPayloadBytes} bytes`,
        value: `${data.byteLength} bytes`,
        remedy: "send it in chunks, or raise `max_payload` in the server's configuration",
      });
    }
    // The caller may write to its buffer as soon as this returns; the link sends later. `new` copies a Buffer too.
    link.send(subject, new Uint8Array(data), options?.reply);
    counters.publishedMessages += 1;
    counters.publishedBytes += data.byteLength;
  };

  const toBusMessage = ({ subject, data, reply }: LinkMessage): BusMessage => ({
    subject,
    data,
    reply,
    respond(answer) {
      if (reply === undefined) return false;
      publish(reply, answer);
      return true;
    },
  });

  const run = (handler: BusHandler, message: BusMessage): void => {
    try {
      const outcome = handler(message);
      if (!(outcome instanceof Promise)) return;
      const finished: Promise<void> = outcome
        .catch((error: unknown) => {
          onHandlerError(error, message.subject);
        })
        .finally(() => running.delete(finished));
      running.add(finished);
    } catch (error) {
      onHandlerError(error, message.subject);
    }
  };

  const subscribe = (subject: string, handler: BusHandler, options: SubscribeOptions = {}): Subscription => {
    assertOpen(`subscribe to "${subject}"`, false);
    assertSubjectPattern(subject, "subscribe");
    if (options.queue !== undefined) assertLiteralSubject(options.queue, `subscribe to "${subject}" in a queue group`);
    let received = 0;
    const inner = link.listen(subject, options.queue, {
      onMessage(message) {
        if (message.isNoResponders) return; // of a plain publish with a reply subject, which is no request
        received += 1;
        count(message.data);
        run(handler, toBusMessage(message));
      },
      onRefused(error) {
        subscriptions.delete(subscription);
        onHandlerError(error, subject);
      },
    });
    const drain = async (): Promise<void> => {
      await inner.drain();
      subscriptions.delete(subscription);
    };
    const subscription: Subscription = {
      subject,
      get received() {
        return received;
      },
      unsubscribe() {
        subscriptions.delete(subscription);
        inner.end();
      },
      drain,
      [Symbol.asyncDispose]: drain,
    };
    subscriptions.add(subscription);
    return subscription;
  };

  const inbox = createRequestInbox({ clock, listen: (subject, listener) => link.listen(subject, undefined, listener) });

  const flush = async (): Promise<void> => {
    assertOpen("flush", true);
    try {
      await link.flush();
    } catch (cause) {
      if (isKnowledgeNetError(cause)) throw cause;
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: "flush published messages",
        rule: `the connection to ${link.description} must hold`,
        value: "interrupted",
        remedy: "messages published meanwhile may be lost; publish them again after the reconnect",
        cause,
      });
    }
  };

  const end = (): void => {
    state = "closed";
    inbox.failAll(unusable("request", link.description, "closed"));
  };
  const closed = link.closed.then((reason) => {
    end();
    return reason;
  });

  const close = (): Promise<void> => {
    end();
    closing ??= link.close();
    return closing;
  };

  const drainAll = async (): Promise<void> => {
    state = "draining";
    await Promise.all([...subscriptions].map((subscription) => subscription.drain()));
    const grace = new AbortController();
    await Promise.race([
      Promise.all(running).then(() => {
        grace.abort();
      }),
      clock.sleep(DRAIN_GRACE_MS, grace.signal).catch(() => undefined),
    ]);
    try {
      if (!isEnded()) await flush();
    } finally {
      await close();
    }
  };
  const isEnded = (): boolean => state === "closed";

  const bus: Bus = {
    description: link.description,
    closed,
    get maxPayloadBytes() {
      return link.maxPayloadBytes;
    },
    get stats() {
      return { ...counters, reconnects: link.reconnects };
    },
    publish,
    subscribe,
    async request(subject, data, options = {}) {
      assertOpen(`request "${subject}"`, true);
      const send = (reply: string): void => {
        publish(subject, data, { reply });
      };
      const answer = await inbox.request(subject, send, options);
      count(answer.data);
      return toBusMessage(answer);
    },
    get services() {
      return [...services].map(({ name, metadata, stats }) => ({ name, metadata, data: stats() }));
    },
    async service(definition) {
      const started = await startService(definition, { bus: { subscribe, flush }, clock });
      services.add(definition);
      const stop = async (): Promise<void> => {
        services.delete(definition);
        await started.stop();
      };
      return { ...started, stop, [Symbol.asyncDispose]: stop };
    },
    on: (event, listener) => link.on(event, listener),
    flush,
    drain() {
      if (state === "closed") return Promise.resolve();
      draining ??= drainAll();
      return draining;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return bus;
}

function unusable(attempt: string, description: string, state: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt,
    rule: `the bus (${description}) must be open`,
    value: state,
    remedy: "connect again",
  });
}

/** Out of the delivery loop, so that one handler's error does not keep others from their messages. */
const rethrow: HandlerErrorListener = (error) => {
  queueMicrotask(() => {
    throw error;
  });
};
