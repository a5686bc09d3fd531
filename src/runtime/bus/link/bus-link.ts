/**
 * What a technology must bring to become a `Bus`: bytes out, bytes in, and the state of the connection. Everything that
 * both adapters must do alike (rules, requests, services, counters, errors of handlers) is above it in `linked-bus.ts`.
 */
import type { BusEvent } from "../bus.ts";

export interface LinkMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  /** The broker's word, on the reply subject, that nobody subscribes to what was published. */
  readonly isNoResponders: boolean;
}

export interface LinkListener {
  onMessage(message: LinkMessage): void;
  /** The broker ended the subscription: it is not permitted. */
  onRefused(error: Error): void;
}

export interface LinkSubscription {
  /** Nothing is delivered after it has returned. */
  end(): void;
  /** Resolves when what had arrived at the broker is delivered and the subscription has ended. Never rejects. */
  drain(): Promise<void>;
}

/** Subjects come checked, data within `maxPayloadBytes`. */
export interface BusLink {
  readonly description: string;
  readonly maxPayloadBytes: number;
  readonly reconnects: number;
  /** As `Bus.closed`. */
  readonly closed: Promise<void | Error>;
  /** Takes `data` over: the caller never writes to it again. */
  send(subject: string, data: Uint8Array, reply: string | undefined): void;
  listen(subject: string, queue: string | undefined, listener: LinkListener): LinkSubscription;
  /** As `Bus.flush`; the error need not be a KnowledgeNetError. */
  flush(): Promise<void>;
  close(): Promise<void>;
  on(event: BusEvent, listener: () => void): () => void;
}
