/**
 * Reads that the leader of a stream answers, so that they see every change acknowledged before. (Direct Get is answered by
 * any replica, which may be behind.) Reads change nothing: they are repeated while the servers elect a leader.
 */
import type { Clock } from "../../clock/index.ts";
import type { JetStreamManager, StoredMsg } from "../../nats/index.ts";
import { isNotFound, isTransient } from "./jetstream-errors.ts";

/** An election takes some 5 s, on a busy machine several times that, ms. */
const ELECTION_MS = 30_000;
const RETRY_MS = 250;
/** Requests on their way at one time: enough to hide the round trip, few enough for a server that just started. */
const IN_FLIGHT = 16;

/** Runs `work` again while it fails because no leader answers; rejects with its last error after `limitMs`. */
export async function throughElection<T>(
  clock: Clock,
  work: () => Promise<T>,
  limitMs = ELECTION_MS,
  signal?: AbortSignal,
): Promise<T> {
  const deadlineMs = clock.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || clock.now() + RETRY_MS >= deadlineMs) throw error;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}

/** The last message on a subject. */
export function lastMessage(
  manager: JetStreamManager,
  stream: string,
  subject: string,
): Promise<StoredMsg | undefined> {
  return unlessNotFound(manager.streams.getMessage(stream, { last_by_subj: subject }));
}

/** The first message on a subject with this sequence or a later one. */
export function messageFrom(
  manager: JetStreamManager,
  stream: string,
  subject: string,
  seq: number,
): Promise<StoredMsg | undefined> {
  const query = { seq, next_by_subj: subject }; // nats.js 2.29 does not have `next_by_subj` in its types
  return unlessNotFound(manager.streams.getMessage(stream, query));
}

/** Messages of each subject that matches `filter`. One request, whatever the number of messages. */
export async function subjectCounts(
  manager: JetStreamManager,
  stream: string,
  filter: string,
): Promise<Readonly<Record<string, number>>> {
  const { state } = await manager.streams.info(stream, { subjects_filter: filter });
  return state.subjects ?? {};
}

/** The results of `ask` for each of `items`, in their order, a few at a time. */
export async function mapInTurn<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += IN_FLIGHT) {
    results.push(...(await Promise.all(items.slice(at, at + IN_FLIGHT).map(ask))));
  }
  return results;
}

async function unlessNotFound(asking: Promise<StoredMsg>): Promise<StoredMsg | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
