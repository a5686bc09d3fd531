/**
 * Collection of artifacts: removal of everything that one run or model owns, and of blobs that no record names, such as
 * those of a save that was cut off.
 */
import type { BlobInfo, KeyValue, Store } from "../store/store.ts";
import { ARTIFACT_BLOBS, ARTIFACT_RECORDS, type ArtifactScope, parseStateName, scopeOf } from "./artifact-names.ts";
import { type Manifest, manifestsKey, parseManifestRecord } from "./manifest.ts";
import { abandonedPublications, namedParts } from "./releases.ts";
import { statesToDelete } from "./state-retention.ts";

/** What is to be deleted. */
export interface ArtifactCollection {
  readonly blobs: readonly BlobInfo[];
  /** Keys of records. */
  readonly records: readonly string[];
}

/** Everything that `scope` owns: for a run or a model that is removed. */
export async function planArtifactRemoval(store: Store, scope: ArtifactScope): Promise<ArtifactCollection> {
  const records = await (await store.kv(ARTIFACT_RECORDS)).keys(`${scope}.>`);
  return { records, blobs: await (await store.blobs(ARTIFACT_BLOBS)).list(`${scope}.`) };
}

/**
 * Blobs that no record names, and the records of publications that were cut off. A scope with a record that does not parse
 * is left alone.
 *
 * @param cutOffBeforeMs publications that began before, ms since 1970, are not going on any more
 */
export async function planArtifactCollection(store: Store, cutOffBeforeMs: number): Promise<ArtifactCollection> {
  // Blobs before records: a blob that is written again after this has another revision, and is not deleted.
  const blobs = await (await store.blobs(ARTIFACT_BLOBS)).list();
  const records = await store.kv(ARTIFACT_RECORDS);
  const unnamed: BlobInfo[] = [];
  const publications: string[] = [];
  for (const [scope, own] of groupBy(blobs, ({ name }) => scopeOf(name))) {
    if (scope === undefined) continue;
    const abandoned = await abandonedPublications(scope, records, cutOffBeforeMs);
    publications.push(...abandoned);
    unnamed.push(...(await unnamedIn(scope, own, records, abandoned)));
  }
  return { records: publications, blobs: unnamed };
}

/** Deletes what was planned and is as it was; records first, so that nothing names a blob that is gone. */
export async function applyArtifactCollection(store: Store, planned: ArtifactCollection): Promise<void> {
  const records = await store.kv(ARTIFACT_RECORDS);
  const blobs = await store.blobs(ARTIFACT_BLOBS);
  for (const key of planned.records) await records.delete(key);
  for (const { name, revision } of planned.blobs) await blobs.delete(name, { revision });
}

async function unnamedIn(
  scope: ArtifactScope,
  own: readonly BlobInfo[],
  records: KeyValue,
  abandoned: readonly string[],
): Promise<BlobInfo[]> {
  // An actor claims its place before it saves, a publisher names its parts before it writes them.
  if ((await records.keys(`${scope}.>`)).length === 0) return [...own];
  const manifests = await manifestsOf(scope, records);
  if (manifests === undefined) return [];
  const states = own.flatMap(({ name }) => parseStateName(name) ?? []);
  const old = [...groupBy(states, ({ actor }) => actor)].flatMap(([actor, each]) =>
    statesToDelete(actor, each, manifests),
  );
  const names = new Set(old.map(({ name }) => name));
  const parts = await namedParts(scope, records, abandoned);
  if (parts === undefined) return [];
  return own.filter(({ name }) => names.has(name) || (name.startsWith(`${scope}.part.`) && !parts.has(name)));
}

/** @returns undefined when there is a record that does not parse. */
async function manifestsOf(scope: ArtifactScope, records: KeyValue): Promise<readonly Manifest[] | undefined> {
  const entry = await records.get(manifestsKey(scope));
  return entry === undefined ? [] : parseManifestRecord(entry.value)?.manifests;
}

function groupBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
