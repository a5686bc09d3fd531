/** The fleet as one sees it through its store: nodes that are there, runs that are wanted, how far they are. */
import type { KeyValue, Store } from "../runtime/store/index.ts";
import {
  FENCES_BUCKET,
  LEASES_BUCKET,
  nodeRecords,
  type NodeRecord,
  NODES_BUCKET,
  PRESENCE_TTL_MS,
  type Records,
  runRecords,
  type RunRecordEntry,
  RUNS_BUCKET,
  type RunStatus,
  STATUS_BUCKET,
  statusRecords,
} from "./records.ts";

export interface Fleet {
  readonly store: Store;
  /** By name; a node that is gone is absent. */
  readonly nodes: Records<NodeRecord>;
  /** By run. */
  readonly runs: Records<RunRecordEntry>;
  /** By run. */
  readonly status: Records<RunStatus>;
  /** By `<run>.<actor>`. */
  readonly leases: KeyValue;
  /** Highest fencing token granted, by `<run>.<actor>`. */
  readonly fences: KeyValue;
  /** Makes the buckets anew where the server came back without its store. */
  reopen(): Promise<void>;
}

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
    ]);
  const [nodes, runs, status, leases, fences] = await open();
  return {
    store,
    nodes: nodeRecords(nodes),
    runs: runRecords(runs),
    status: statusRecords(status),
    leases,
    fences,
    async reopen() {
      await open();
    },
  };
}
