/**
 * Logs in JetStream: one stream for all of them, a subject for each, so that the number of streams does not grow with the
 * number of runs. `nats stream view KN_HISTORY` shows them.
 */
import type { Clock } from "../../clock/index.ts";
import type { JetStreamClient, JetStreamManager } from "../../nats/index.ts";
import { assertOwnDomain, assertPrefix, assertValueSize } from "../keys.ts";
import type { Log, LogOptions } from "../store.ts";
import { orTranslate } from "./jetstream-errors.ts";
import { lastMessage, messageFrom, subjectCounts, throughElection } from "./leader-reads.ts";

export const LOG_STREAM = "KN_HISTORY";
export const LOG_SUBJECTS = "$KN.history.>";

export interface JetStreamLogDeps {
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly clock: Clock;
  readonly description: string;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export interface JetStreamLogOptions extends LogOptions {
  readonly name: string;
  /** Another JetStream domain than the server's, of which logs are read; undefined: its own. */
  readonly domain: string | undefined;
}

export async function jetStreamLog(options: JetStreamLogOptions, deps: JetStreamLogDeps): Promise<Log> {
  const { name, maxEntries, domain } = options;
  const { jetstream, manager, clock, description, assertOpen } = deps;
  const subject = subjectOf(name);
  const count = async (): Promise<number> => (await subjectCounts(manager, LOG_STREAM, subject))[subject] ?? 0;
  /** Of the entries, as far as this process knows. */
  let known = maxEntries === undefined ? 0 : await count();

  const trim = async (kept: number): Promise<void> => {
    known = await count();
    if (known <= 2 * kept) return;
    await manager.streams.purge(LOG_STREAM, { filter: subject, keep: kept });
    known = kept;
  };

  return {
    name,
    append: (data) =>
      orTranslate(description, `append to ${name}`, async () => {
        assertOpen(`append to ${name}`);
        assertOwnDomain(`append to ${name}`, domain);
        assertValueSize("log", name, data);
        const { seq } = await jetstream.publish(subject, new Uint8Array(data));
        known += 1;
        // The entry is durable: a trim that fails is tried again after the next one.
        if (maxEntries !== undefined && known > 2 * maxEntries) await trim(maxEntries).catch(() => undefined);
        return seq;
      }),
    removeBefore: (position) =>
      orTranslate(description, `remove entries of ${name}`, async () => {
        assertOpen(`remove entries of ${name}`);
        const newest = (await lastMessage(manager, LOG_STREAM, subject))?.seq ?? 0;
        const seq = Math.min(position, newest);
        if (seq < 1) return;
        await manager.streams.purge(LOG_STREAM, { filter: subject, seq });
        if (maxEntries !== undefined) known = await count();
      }),
    read({ from = 0 } = {}) {
      assertOpen(`read ${name}`);
      const asked = <T>(work: () => Promise<T>): Promise<T> =>
        orTranslate(description, `read ${name}`, () => throughElection(clock, work));
      return {
        async *[Symbol.asyncIterator]() {
          const end = (await asked(() => lastMessage(manager, LOG_STREAM, subject)))?.seq ?? 0;
          for (let at = Math.max(1, from); at <= end; ) {
            const seq = at;
            const message = await asked(() => messageFrom(manager, LOG_STREAM, subject, seq));
            if (message === undefined || message.seq > end) return;
            yield { position: message.seq, data: new Uint8Array(message.data) };
            at = message.seq + 1;
          }
        },
      };
    },
  };
}

/** Names of the logs that have an entry. */
export async function logNames(manager: JetStreamManager, prefix: string): Promise<string[]> {
  assertPrefix("logs", prefix);
  const wholeTokens = prefix.slice(0, prefix.lastIndexOf(".") + 1);
  return Object.keys(await subjectCounts(manager, LOG_STREAM, subjectOf(`${wholeTokens}>`)))
    .map((subject) => subject.slice(subjectOf("").length))
    .filter((name) => name.startsWith(prefix))
    .sort();
}

export async function removeLog(manager: JetStreamManager, name: string): Promise<void> {
  await manager.streams.purge(LOG_STREAM, { filter: subjectOf(name) });
}

function subjectOf(name: string): string {
  return `${LOG_SUBJECTS.slice(0, -1)}${name}`;
}
