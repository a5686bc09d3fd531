/** Writes a run's status under a fencing token: a controller that lost its lease never overwrites its successor's. */
import { isKnowledgeNetError, KnowledgeNetError } from "../errors/index.ts";
import type { Records } from "./record-bucket.ts";
import type { RunStatus } from "./run-status.ts";

/**
 * Writes are made one after another, and none without an outcome follows one with an outcome.
 *
 * @returns the write function. It rejects with KN_FENCED when a controller with a higher token has written, and with
 * KN_UNAVAILABLE.
 */
export function createStatusWriter(records: Records<RunStatus>): (status: RunStatus) => Promise<void> {
  const { kv, parse } = records;
  let revision: number | undefined;
  let isConcluded = false;
  let tail: Promise<unknown> = Promise.resolve();

  const write = async (status: RunStatus): Promise<void> => {
    if (isConcluded && status.outcome === undefined) return;
    const value = new TextEncoder().encode(JSON.stringify(status));
    try {
      revision =
        revision === undefined ? await kv.create(status.run, value) : await kv.update(status.run, value, revision);
      return;
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
    }
    const entry = await kv.get(status.run);
    // A status of another format has no token, and is replaced.
    const found = entry === undefined ? undefined : parse(entry);
    if (found !== undefined && found.fence > status.fence) {
      throw new KnowledgeNetError("KN_FENCED", {
        attempt: `write the status of ${status.run}`,
        rule: "no controller with a higher fencing token may have written it",
        value: `${found.fence} above ${status.fence}`,
      });
    }
    revision =
      entry === undefined ? await kv.create(status.run, value) : await kv.update(status.run, value, entry.revision);
  };

  return (status) => {
    isConcluded ||= status.outcome !== undefined;
    const done = tail.then(() => write(status));
    tail = done.catch(() => undefined);
    return done;
  };
}
