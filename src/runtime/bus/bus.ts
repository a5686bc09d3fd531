/**
 * The port through which actors meet. Semantics are those of core NATS: at most once, fire and forget, subjects of
 * dot-separated tokens, `*` for one token, `>` for one or more at the end, queue groups, no-responders on a request.
 * `MemoryBus` and `NatsBus` pass one contract suite (test/contract/bus).
 */

/** One delivered message. `data` is borrowed: it is valid during the handler; keep a copy to hold it longer. */
export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Subject of the answer; absent when none is expected. */
  readonly reply: string | undefined;
  /** Answers the sender. @returns false when the message has no reply subject. @throws as `publish` */
  respond(data: Uint8Array): boolean;
}

/**
 * Runs for each message, in the order of delivery on that subscription, without awaiting the promise of the one before:
 * work that must be serial goes through a mailbox. A throw or rejection goes to the `HandlerErrorListener`.
 */
export type BusHandler = (message: BusMessage) => void | Promise<void>;

export interface SubscribeOptions {
  /** Each message goes to one member of the group. */
  readonly queue?: string;
}

export interface Subscription extends AsyncDisposable {
  readonly subject: string;
  /** Messages handed to the handler so far. */
  readonly received: number;
  /** Ends delivery at once. */
  unsubscribe(): void;
  /** Handles the messages that have arrived, then ends. Does not await the handlers' promises. Never rejects. */
  drain(): Promise<void>;
}

export interface RequestOptions {
  /** How long to wait for the answer, ms, more than 0. @default 5000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An endpoint: a subscription of a service whose messages the service's statistics count. */
export interface ServiceEndpoint {
  /** Token shown by `nats service info`: `[A-Za-z0-9_-]+`. */
  readonly name: string;
  readonly subject: string;
  /** Omitted: every instance gets every message (a block and a monitor may share a subject). */
  readonly queue?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly handler: BusHandler;
}

export interface ServiceDefinition {
  /** The kind: `kn-block`, `kn-gradient`, ... `[A-Za-z0-9_-]+`. */
  readonly name: string;
  /** Semantic version of the software, "1.2.3". */
  readonly version: string;
  readonly description: string;
  /** Facts of this instance: run, slice, backend, ... */
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly ServiceEndpoint[];
  /** Live figures, JSON-serialisable, attached to every endpoint in `$SRV.STATS`. */
  readonly stats: () => Readonly<Record<string, unknown>>;
}

/** A registered service; answers `$SRV.PING`, `$SRV.INFO`, `$SRV.STATS` (each also `.<name>` and `.<name>.<id>`). */
export interface Service extends AsyncDisposable {
  readonly id: string;
  readonly name: string;
  stop(): Promise<void>;
}

/** The figures of `$SRV.STATS`, without a request. */
export interface ServiceReport {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Readable counters of one bus connection, since its start. */
export interface BusStats {
  readonly publishedMessages: number;
  readonly publishedBytes: number;
  readonly receivedMessages: number;
  readonly receivedBytes: number;
  readonly reconnects: number;
}

/** Changes of the connection. On `reconnected`, retransmit what may be lost. */
export type BusEvent = "disconnected" | "reconnected";

export interface Bus extends AsyncDisposable {
  /** "memory" or the server's URL without credentials: for logs and results. */
  readonly description: string;
  /** The largest message that `publish` takes, bytes. */
  readonly maxPayloadBytes: number;
  /** Resolves when the bus has ended: with the error that ended it, or with nothing after `drain`/`close`. Never rejects. */
  readonly closed: Promise<void | Error>;
  readonly stats: BusStats;
  /** Services registered over this bus and not stopped, as they are now. */
  readonly services: readonly ServiceReport[];

  /**
   * Sends without waiting. The bytes are copied before it returns (the caller may reuse the buffer). While the broker is
   * away it is no error, and the message is lost.
   * @throws KnowledgeNetError KN_UNAVAILABLE when the bus is closed; KN_OVERLOADED when `data` exceeds
   * `maxPayloadBytes`; KN_CONFIG when `subject` has wildcards, white space or an empty token.
   */
  publish(subject: string, data: Uint8Array, options?: { readonly reply?: string }): void;

  /** @throws KnowledgeNetError KN_CONFIG on a malformed subject; KN_UNAVAILABLE when closed. */
  subscribe(subject: string, handler: BusHandler, options?: SubscribeOptions): Subscription;

  /**
   * @returns the first answer. Rejects with KN_UNAVAILABLE when there is no subscriber (at once), on time-out, or when the
   * bus closes meanwhile; with `signal.reason` on abort.
   */
  request(subject: string, data: Uint8Array, options?: RequestOptions): Promise<BusMessage>;

  /** Registers a service. @throws KnowledgeNetError KN_CONFIG on a malformed name, version or subject. */
  service(definition: ServiceDefinition): Promise<Service>;

  /** Calls `listener` on connection events. @returns the function that removes it. */
  on(event: BusEvent, listener: () => void): () => void;

  /** Resolves when the broker has all messages published before. Rejects with KN_UNAVAILABLE when it cannot. */
  flush(): Promise<void>;
  /**
   * Handles the messages that have arrived, awaits the handlers' promises (5 s at most), flushes, then closes. It closes
   * in any case; rejects with KN_UNAVAILABLE when the flush failed.
   */
  drain(): Promise<void>;
  /** Closes at once: messages that were not flushed may be lost. Never rejects. The same as disposing of the bus. */
  close(): Promise<void>;
}

/** Called with a handler's error. @default rethrown on the next tick, which ends the process: wire it. */
export type HandlerErrorListener = (error: unknown, subject: string) => void;
