/**
 * Collection of artifacts: removal of everything that one run or model owns, and of blobs that no record names, such as
 * those of a save that was cut off. A blob younger than `graceMs` may be one whose record is about to be written: it stays.
 */
import type { KeyValue, Store } from "../store/store.ts";
import {
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  type ArtifactScope,
  parseStateName,
  partName,
  type SavedState,
  scopeOf,
} from "./artifact-names.ts";
import { type Manifest, manifestsKey, parseManifestRecord } from "./manifest.ts";
import { parseRelease } from "./releases.ts";
import { statesToDelete } from "./state-retention.ts";

/** Longer than any save takes from its first byte to its record, ms. */
const GRACE_MS = 10 * 60_000;

/** What would be deleted, or was. */
export interface ArtifactCollection {
  /** Names of blobs. */
  readonly blobs: readonly string[];
  /** Bytes of those blobs. */
  readonly sizeBytes: number;
  /** Keys of records. */
  readonly records: readonly string[];
}

export interface CollectionDeps {
  readonly store: Store;
  readonly wallTimeMs: () => number;
}

/** Everything that `scope` owns: for a run or a model that is removed. */
export async function planArtifactRemoval(store: Store, scope: ArtifactScope): Promise<ArtifactCollection> {
  const blobs = await (await store.blobs(ARTIFACT_BLOBS)).list(`${scope}.`);
  const records = await (await store.kv(ARTIFACT_RECORDS)).keys(`${scope}.>`);
  return { blobs: blobs.map(({ name }) => name), sizeBytes: sum(blobs), records };
}

/** Blobs that no record names. A scope whose manifests do not parse is left alone. */
export async function planArtifactCollection(
  { store, wallTimeMs }: CollectionDeps,
  graceMs = GRACE_MS,
): Promise<ArtifactCollection> {
  // Blobs first: what a record names by the time it is read was written before.
  const blobs = await (await store.blobs(ARTIFACT_BLOBS)).list();
  const records = await store.kv(ARTIFACT_RECORDS);
  const youngest = wallTimeMs() - graceMs;
  const old = blobs.filter(({ writtenMs }) => writtenMs < youngest);
  const unnamed: typeof old = [];
  for (const scope of new Set(old.flatMap(({ name }) => scopeOf(name) ?? []))) {
    const own = old.filter(({ name }) => scopeOf(name) === scope);
    const names = new Set(await unnamedIn(scope, blobs.map(({ name }) => name), records));
    unnamed.push(...own.filter(({ name }) => names.has(name)));
  }
  return { blobs: unnamed.map(({ name }) => name), sizeBytes: sum(unnamed), records: [] };
}

/** Deletes what was planned: records first, so that nothing names a blob that is gone. */
export async function applyArtifactCollection({ store }: Pick<CollectionDeps, "store">, planned: ArtifactCollection): Promise<void> {
  const records = await store.kv(ARTIFACT_RECORDS);
  const blobs = await store.blobs(ARTIFACT_BLOBS);
  for (const key of planned.records) await records.delete(key);
  for (const name of planned.blobs) await blobs.delete(name);
}

async function unnamedIn(scope: ArtifactScope, all: readonly string[], records: KeyValue): Promise<string[]> {
  const own = all.filter((name) => scopeOf(name) === scope);
  const keys = await records.keys(`${scope}.>`);
  if (keys.length === 0) return own;
  const manifests = await manifestsOf(scope, records);
  if (manifests === undefined) return [];
  const parts = await namedParts(scope, keys, records);
  const byActor = new Map<string, SavedState[]>();
  for (const name of own) {
    const state = parseStateName(name);
    if (state !== undefined) byActor.set(state.actor, [...(byActor.get(state.actor) ?? []), state]);
  }
  const states = [...byActor].flatMap(([actor, each]) => statesToDelete(actor, each, manifests));
  return [
    ...states.map(({ name }) => name),
    ...own.filter((name) => name.startsWith(`${scope}.part.`) && !parts.has(name)),
  ];
}

/** @returns undefined when there is a record that does not parse. */
async function manifestsOf(scope: ArtifactScope, records: KeyValue): Promise<readonly Manifest[] | undefined> {
  const entry = await records.get(manifestsKey(scope));
  return entry === undefined ? [] : parseManifestRecord(entry.value)?.manifests;
}

async function namedParts(scope: ArtifactScope, keys: readonly string[], records: KeyValue): Promise<Set<string>> {
  const named = new Set<string>();
  for (const key of keys.filter((each) => each.startsWith(`${scope}.release.`))) {
    const entry = await records.get(key);
    const release = entry === undefined ? undefined : parseRelease(entry.value);
    for (const digest of release?.digests ?? []) named.add(partName(scope, digest));
  }
  return named;
}

function sum(blobs: readonly { readonly sizeBytes: number }[]): number {
  return blobs.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
