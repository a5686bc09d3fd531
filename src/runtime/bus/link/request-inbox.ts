/**
 * Requests over a link: one subscription on `_INBOX.<id>.*` carries the answers of all, as NATS clients do it. Each
 * request ends by its answer, by no-responders, by time, by abort, or with the bus.
 */
import { KnowledgeNetError } from "../../../errors/index.ts";
import { uniqueId } from "../../unique-id.ts";
import type { Clock } from "../../clock/index.ts";
import type { RequestOptions } from "../bus.ts";
import type { LinkListener, LinkMessage, LinkSubscription } from "./bus-link.ts";

const DEFAULT_TIMEOUT_MS = 5_000;

export interface RequestInbox {
  /** Calls `send` with the reply subject. @returns the first answer */
  request(subject: string, send: (reply: string) => void, options: RequestOptions): Promise<LinkMessage>;
  /** Fails the pending requests. */
  failAll(error: Error): void;
}

export interface RequestInboxDeps {
  readonly clock: Clock;
  readonly listen: (subject: string, listener: LinkListener) => LinkSubscription;
}

interface Pending {
  readonly subject: string;
  readonly answer: (message: LinkMessage) => void;
  readonly fail: (error: unknown) => void;
}

export function createRequestInbox({ clock, listen }: RequestInboxDeps): RequestInbox {
  const prefix = `_INBOX.${uniqueId()}`;
  const pending = new Map<string, Pending>();
  let subscription: LinkSubscription | undefined;
  let lastToken = 0;

  const failAll = (error: Error): void => {
    for (const { fail } of [...pending.values()]) fail(error);
  };

  const listener: LinkListener = {
    onMessage(message) {
      const request = pending.get(message.subject);
      if (request === undefined) return; // aborted or timed out
      if (message.isNoResponders)
        request.fail(unanswered(request.subject, "it must have a subscriber", "no responders"));
      else request.answer(message);
    },
    onRefused(error) {
      subscription = undefined;
      failAll(error);
    },
  };

  return {
    failAll,
    request(subject, send, { timeoutMs = DEFAULT_TIMEOUT_MS, signal }) {
      if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be positive, not ${timeoutMs}`);
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        subscription ??= listen(`${prefix}.*`, listener);
        lastToken += 1;
        const reply = `${prefix}.${lastToken}`;
        const onAbort = (): void => {
          fail(signal?.reason);
        };
        const end = (): void => {
          pending.delete(reply);
          clock.clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
        };
        const fail = (error: unknown): void => {
          end();
          reject(error);
        };
        const timer = clock.setTimeout(() => {
          fail(unanswered(subject, `an answer must come within ${timeoutMs} ms`, "none came"));
        }, timeoutMs);
        signal?.addEventListener("abort", onAbort, { once: true });
        pending.set(reply, {
          subject,
          fail,
          answer(message) {
            end();
            resolve(message);
          },
        });
        try {
          send(reply);
        } catch (error) {
          fail(error);
        }
      });
    },
  };
}

function unanswered(subject: string, rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `request "${subject}"`,
    rule,
    value,
    remedy: "check that the receiver runs: `nats service list`",
  });
}
