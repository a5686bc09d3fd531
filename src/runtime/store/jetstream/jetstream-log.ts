/**
 * Logs in JetStream: one stream for all of them, a subject for each, so that the number of streams does not grow with the
 * number of runs. `nats stream view KN_HISTORY` shows them.
 */
import type { JetStreamClient, JetStreamManager } from "../../nats/index.ts";
import { assertPrefix, assertValueSize } from "../keys.ts";
import type { Log, LogEntry, LogOptions } from "../store.ts";
import { isNotFound, orTranslate } from "./jetstream-errors.ts";

export const LOG_STREAM = "KN_HISTORY";
export const LOG_SUBJECTS = "$KN.history.>";

export interface JetStreamLogDeps {
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly description: string;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export async function jetStreamLog(name: string, { maxEntries }: LogOptions, deps: JetStreamLogDeps): Promise<Log> {
  const { jetstream, manager, description, assertOpen } = deps;
  const subject = subjectOf(name);
  const count = async (): Promise<number> => {
    const { state } = await manager.streams.info(LOG_STREAM, { subjects_filter: subject });
    return state.subjects?.[subject] ?? 0;
  };
  /** Of the entries, as far as this process knows. */
  let known = maxEntries === undefined ? 0 : await count();

  const trim = async (kept: number): Promise<void> => {
    known = await count();
    if (known <= 2 * kept) return;
    await manager.streams.purge(LOG_STREAM, { filter: subject, keep: kept });
    known = kept;
  };

  /** The first entry at `from` or later. */
  const next = async (from: number): Promise<LogEntry | undefined> => {
    try {
      const query = { seq: from, next_by_subj: subject };
      const { data, seq } = await manager.streams.getMessage(LOG_STREAM, query);
      return { position: seq, data: new Uint8Array(data) };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };

  const last = async (): Promise<number> => {
    try {
      return (await manager.streams.getMessage(LOG_STREAM, { last_by_subj: subject })).seq;
    } catch (error) {
      if (isNotFound(error)) return 0;
      throw error;
    }
  };

  return {
    name,
    append: (data) =>
      orTranslate(description, `append to ${name}`, async () => {
        assertOpen(`append to ${name}`);
        assertValueSize("log", name, data);
        const { seq } = await jetstream.publish(subject, new Uint8Array(data));
        known += 1;
        // The entry is durable: a trim that fails is tried again after the next one.
        if (maxEntries !== undefined && known > 2 * maxEntries) await trim(maxEntries).catch(() => undefined);
        return seq;
      }),
    read({ from = 0 } = {}) {
      assertOpen(`read ${name}`);
      const asked = <T>(work: () => Promise<T>): Promise<T> => orTranslate(description, `read ${name}`, work);
      return {
        async *[Symbol.asyncIterator]() {
          const end = await asked(last);
          for (let at = Math.max(1, from); at <= end; ) {
            const seq = at;
            const entry = await asked(() => next(seq));
            if (entry === undefined || entry.position > end) return;
            yield entry;
            at = entry.position + 1;
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
  const { state } = await manager.streams.info(LOG_STREAM, { subjects_filter: subjectOf(`${wholeTokens}>`) });
  return Object.keys(state.subjects ?? {})
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
