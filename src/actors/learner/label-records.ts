/** The labels of a store, by the version of the oracle that gave them. */
import type { KeyValue, Store } from "../../runtime/store/index.ts";

const BUCKET = "kn-labels";
/** A month: the stream is long past by then. */
const TTL_MS = 30 * 24 * 3_600_000;

/** Rejects with KN_UNAVAILABLE. */
export function openLabels(store: Store): Promise<KeyValue> {
  return store.kv(BUCKET, { ttlMs: TTL_MS });
}

/** @param version a token. @param digest of the input */
export const labelKey = (version: string, digest: string): string => `${version}.${digest}`;

export interface StoredLabels {
  readonly version: string;
  /** Inputs. */
  readonly labels: number;
  /** When the newest of them was given, ms since 1970. */
  readonly newestMs: number;
}

/** All that `version`s other than `used` have given. Rejects with KN_UNAVAILABLE. */
export async function unusedLabels(store: Store, used: ReadonlySet<string>): Promise<readonly StoredLabels[]> {
  if (!(await store.buckets()).some(({ name }) => name === BUCKET)) return [];
  const labels = await openLabels(store);
  const versions = new Set((await labels.keys()).map((key) => key.split(".")[0] ?? ""));
  const found: StoredLabels[] = [];
  for (const version of [...versions].filter((each) => !used.has(each)).sort()) {
    const entries = await labels.entries(`${version}.*`);
    const newestMs = entries.reduce((newest, { writtenMs }) => Math.max(newest, writtenMs), 0);
    found.push({ version, labels: entries.length, newestMs });
  }
  return found;
}

/** Deletes the labels of a version. Safe to repeat after KN_UNAVAILABLE. */
export async function removeLabels(store: Store, version: string): Promise<void> {
  const labels = await openLabels(store);
  for (const key of await labels.keys(`${version}.*`)) await labels.delete(key);
}
