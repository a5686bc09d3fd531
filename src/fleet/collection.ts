/**
 * Removal of a run from a fleet, and collection of what no run record names: status, leases, fencing tokens, history,
 * artifacts, and what continuous runs have left. A plan deletes nothing; `apply` deletes what the plan lists.
 *
 * @example
 * const plan = await planRemoval("digits", fleet);
 * for (const { kind, name } of plan.items) console.log(kind, name);
 * await plan.apply();
 */
import { KnowledgeNetError } from "../errors/index.ts";
import { type FollowItem, planFollowCollection, planFollowRemoval } from "../jobs/kinds/continuous/collect-follows.ts";
import {
  applyArtifactCollection,
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  type ArtifactCollection,
  type ArtifactScope,
  planArtifactCollection,
  planArtifactRemoval,
  scopeOfRun,
} from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { BucketName, KeyValue, Store } from "../runtime/store/index.ts";
import { type Fleet, STORE_MARK } from "./fleet.ts";
import { HISTORY_PREFIX } from "./history-name.ts";

export interface CollectionItem {
  readonly kind:
    | "run record"
    | "status"
    | "lease"
    | "fencing token"
    | "history"
    | "artifact record"
    | "blob"
    /** Of a put that was cut off. */
    | "upload"
    | "bucket"
    | "folder"
    | FollowItem["kind"];
  readonly name: string;
  readonly sizeBytes?: number;
}

export interface Collection {
  readonly items: readonly CollectionItem[];
  /** Deletes what is listed. Safe to repeat after KN_UNAVAILABLE: what is gone is no error. */
  apply(): Promise<void>;
}

/**
 * Artifacts of an unknown run, and publications, younger than this stay, ms: a run is launched after its teacher is
 * published.
 */
export const GRACE_MS = 3_600_000;

/** Buckets that earlier versions made for each run. */
const FORMER_BUCKET = /^(?:checkpoints|manifests|teacher|teachers)-(.+)$/;

/**
 * Everything of one run. Rejects with KN_CONFIG while it goes on, or when nothing of that name is there. That a continuous
 * run goes on its learner alone says, on the bus: the caller asks.
 */
export async function planRemoval(run: string, fleet: Fleet): Promise<Collection> {
  const record = await fleet.runs.get(run);
  if (record !== undefined && record.value.desired !== "ended") {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `remove ${run}`,
      rule: "it must have ended",
      value: `it is ${record.value.desired}`,
      remedy: `end it first: kn stop ${run}`,
    });
  }
  const plan = both(
    await planFollowRemoval(run, fleet.store),
    await planOf(fleet, (name) => name === run, [scopeOfRun(run)], await formerBuckets(fleet, run)),
  );
  if (plan.items.length > 0) return plan;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `remove ${run}`,
    rule: "the fleet must have a run of that name",
    value: "nothing of it is stored",
    remedy: "`kn runs --bus ...` lists them",
  });
}

/** What no run record names, blobs that no manifest names, and uploads that were cut off. */
export async function planCollection(fleet: Fleet, clock: Pick<Clock, "wallTimeMs">): Promise<Collection> {
  const known = new Set(await fleet.runs.kv.keys());
  const nowMs = clock.wallTimeMs();
  const beforeMs = nowMs - GRACE_MS;
  const scopes = await unknownScopes(fleet, known, beforeMs);
  const former = (await formerBuckets(fleet)).filter(({ name }) => !known.has(FORMER_BUCKET.exec(name)?.[1] ?? ""));
  const unnamed = await planArtifactCollection(fleet.store, beforeMs);
  const plan = both(
    await planOf(fleet, (run) => !known.has(run), scopes, former, unnamed),
    await planFollowCollection(fleet.store, { beforeMs, nowMs, isIdle: false }),
  );
  const blobs = await fleet.store.blobs(ARTIFACT_BLOBS);
  const uploads = await blobs.sweep({ isDryRun: true });
  return {
    items: [...plan.items, ...uploads.map((name): CollectionItem => ({ kind: "upload", name }))],
    async apply() {
      await plan.apply();
      await blobs.sweep();
    },
  };
}

/** Copies in a node's own store of the artifacts of runs that the fleet does not know any more. */
export async function planNodeCollection(local: Store, fleet: Fleet): Promise<Collection> {
  const known = new Set(await fleet.runs.kv.keys());
  const blobs = (await (await local.blobs(ARTIFACT_BLOBS)).list("run.")).filter(
    ({ name }) => !known.has(name.split(".")[1] ?? ""),
  );
  return {
    items: blobs.map(({ name, sizeBytes }) => ({ kind: "blob", name, sizeBytes })),
    apply: () => applyArtifactCollection(local, { blobs, records: [] }),
  };
}

function both(one: Collection, other: Collection): Collection {
  return {
    items: [...one.items, ...other.items],
    async apply() {
      await one.apply();
      await other.apply();
    },
  };
}

/** @param isMeant of the runs that the records, leases and logs of the fleet belong to */
async function planOf(
  fleet: Fleet,
  isMeant: (run: string) => boolean,
  scopes: readonly ArtifactScope[],
  former: readonly BucketName[],
  unnamed: ArtifactCollection = { blobs: [], records: [] },
): Promise<Collection> {
  const { store, runs, status, leases, fences } = fleet;
  const keysOf = async (kv: KeyValue): Promise<string[]> =>
    (await kv.keys()).filter((key) => key !== STORE_MARK && isMeant(key.split(".")[0] ?? ""));
  const [ofRuns, ofStatus, ofLeases, ofFences, logs] = await Promise.all([
    keysOf(runs.kv),
    keysOf(status.kv),
    keysOf(leases),
    keysOf(fences),
    store.logs(HISTORY_PREFIX),
  ]);
  const ofHistory = logs.filter((log) => isMeant(log.slice(HISTORY_PREFIX.length)));
  const owned = await Promise.all(scopes.map((scope) => planArtifactRemoval(store, scope)));
  const artifacts: ArtifactCollection = {
    records: [...new Set([...owned, unnamed].flatMap(({ records }) => records))],
    blobs: uniqueByName([...owned, unnamed].flatMap(({ blobs }) => blobs)),
  };
  const items = (kind: CollectionItem["kind"], names: readonly string[]): CollectionItem[] =>
    names.map((name) => ({ kind, name }));
  return {
    items: [
      ...items("run record", ofRuns),
      ...items("status", ofStatus),
      ...items("lease", ofLeases),
      ...items("fencing token", ofFences),
      ...items("history", ofHistory),
      ...items("artifact record", artifacts.records),
      ...artifacts.blobs.map(({ name, sizeBytes }): CollectionItem => ({ kind: "blob", name, sizeBytes })),
      ...items(
        "bucket",
        former.map(({ kind, name }) => `${kind}/${name}`),
      ),
    ],
    async apply() {
      // The record last: while it is there, the removal can be repeated by name.
      await applyArtifactCollection(store, artifacts);
      for (const { kind, name } of former) await store.removeBucket(kind, name);
      for (const log of ofHistory) await store.removeLog(log);
      for (const key of ofStatus) await status.kv.delete(key);
      for (const key of ofLeases) await leases.delete(key);
      for (const key of ofFences) await fences.delete(key);
      for (const key of ofRuns) await runs.kv.delete(key);
    },
  };
}

/** Owners of artifacts without a run record whose newest artifact record is older than the grace period. */
async function unknownScopes({ store }: Fleet, known: ReadonlySet<string>, beforeMs: number): Promise<ArtifactScope[]> {
  const entries = await (await store.kv(ARTIFACT_RECORDS)).entries("run.>");
  const blobs = await (await store.blobs(ARTIFACT_BLOBS)).list("run.");
  const newest = new Map<string, number>();
  const note = (name: string, writtenMs: number): void => {
    const run = name.split(".")[1] ?? "";
    if (!known.has(run)) newest.set(run, Math.max(newest.get(run) ?? 0, writtenMs));
  };
  for (const { name } of blobs) note(name, 0);
  for (const { key, writtenMs } of entries) note(key, writtenMs);
  return [...newest].filter(([, writtenMs]) => writtenMs < beforeMs).map(([run]) => scopeOfRun(run));
}

async function formerBuckets({ store }: Fleet, run?: string): Promise<BucketName[]> {
  return (await store.buckets()).filter(({ name }) => {
    const owner = FORMER_BUCKET.exec(name)?.[1];
    return owner !== undefined && (run === undefined || owner === run);
  });
}

function uniqueByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.name, item])).values()];
}
