/** The fleet as its store shows it: present nodes, desired runs, and their progress. */
import { isKnowledgeNetError } from "../errors/index.ts";
import type { KeyValue, Store } from "../runtime/store/index.ts";
import {
  FENCES_BUCKET,
  LEASES_BUCKET,
  nodeRecords,
  type NodeRecord,
  NODES_BUCKET,
  PRESENCE_TTL_MS,
  runRecords,
  type RunRecordEntry,
  RUNS_BUCKET,
  STATUS_BUCKET,
} from "./records.ts";
import { type Records, recordsOf } from "./record-bucket.ts";
import { type RunStatus, statusRecords } from "./run-status.ts";
import { SERVING_BUCKET, type ServingRecord, servingRecordSchema } from "./serving-record.ts";
import { uniqueId } from "../runtime/unique-id.ts";

export interface Fleet {
  readonly store: Store;
  /** By name; a node that is gone is absent. */
  readonly nodes: Records<NodeRecord>;
  /** By run. */
  readonly runs: Records<RunRecordEntry>;
  /** By run. */
  readonly status: Records<RunStatus>;
  /** By serving job; one whose process is gone is absent. */
  readonly serving: Records<ServingRecord>;
  /** By `<run>.<actor>`. */
  readonly leases: KeyValue;
  /** Highest fencing token granted, by `<run>.<actor>`. */
  readonly fences: KeyValue;
  /** Opens the buckets again; creates them where the server returned without its store (`isLost`). */
  reopen(): Promise<{ readonly isLost: boolean }>;
}

/** Key in the bucket of fences. */
export const STORE_MARK = "store";

/** Rejects with KN_UNAVAILABLE when the store does not answer. */
export async function openFleet(store: Store): Promise<Fleet> {
  const expiring = { ttlMs: PRESENCE_TTL_MS };
  const open = () =>
    Promise.all([
      store.kv(NODES_BUCKET, expiring),
      store.kv(RUNS_BUCKET),
      store.kv(STATUS_BUCKET),
      store.kv(LEASES_BUCKET, expiring),
      store.kv(FENCES_BUCKET),
      store.kv(SERVING_BUCKET, expiring),
    ]);
  const [nodes, runs, status, leases, fences, serving] = await open();
  /** Detects a store that was lost and created again: its marker differs. */
  const markOf = async (): Promise<string> => {
    const found = await fences.get(STORE_MARK);
    if (found !== undefined) return new TextDecoder().decode(found.value);
    try {
      const mark = uniqueId();
      await fences.create(STORE_MARK, new TextEncoder().encode(mark));
      return mark;
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_FENCED")) return markOf();
      throw error;
    }
  };
  let mark = await markOf();
  return {
    store,
    nodes: nodeRecords(nodes),
    runs: runRecords(runs),
    status: statusRecords(status),
    serving: recordsOf(serving, servingRecordSchema),
    leases,
    fences,
    async reopen() {
      await open();
      const before = mark;
      mark = await markOf();
      return { isLost: mark !== before };
    },
  };
}
