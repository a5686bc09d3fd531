/**
 * The part of a `Bus` that depends on the technology: bytes out, bytes in, and the state of the connection. Everything
 * that the adapters have in common (rules, requests, services, counters, errors of handlers) is above it in `linked-bus.ts`.
 */
import type { BusEvent } from "../bus.ts";

export interface LinkMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  /** The broker's notice, on the reply subject, that the published subject has no subscriber. */
  readonly isNoResponders: boolean;
}

export interface LinkListener {
  onMessage(message: LinkMessage): void;
  /** The broker ended the subscription: it is not permitted. */
  onRefused(error: Error): void;
}

export interface LinkSubscription {
  /** Ends delivery at once. */
  end(): void;
  /** Resolves when the messages that the broker had are delivered and the subscription has ended. Never rejects. */
  drain(): Promise<void>;
}

/** Subjects come checked, data within `maxPayloadBytes`. */
export interface BusLink {
  readonly description: string;
  readonly maxPayloadBytes: number;
  readonly reconnects: number;
  /** As `Bus.closed`. */
  readonly closed: Promise<void | Error>;
  /** Owns `data` from then on: the caller never writes to it again. */
  send(subject: string, data: Uint8Array, reply: string | undefined): void;
  listen(subject: string, queue: string | undefined, listener: LinkListener): LinkSubscription;
  /** As `Bus.flush`; the error need not be a KnowledgeNetError. */
  flush(): Promise<void>;
  close(): Promise<void>;
  on(event: BusEvent, listener: () => void): () => void;
}
