/** The shelves of a store, for whoever lists or removes them. */
import { type BlobInfo, changeKey, type Store } from "../../runtime/store/index.ts";
import { clearedHead, shelfKeys, UPDATES_BUCKET } from "./shelf-records.ts";

export interface StoredShelf {
  readonly model: string;
  /** Keys of its list and of the request for a full update. */
  readonly records: readonly string[];
  readonly blobs: readonly BlobInfo[];
  /** When a record of it was last written, ms since 1970; 0: it has blobs alone. */
  readonly changedMs: number;
}

/** All that have something to remove. Rejects with KN_UNAVAILABLE. */
export async function storedShelves(store: Store): Promise<readonly StoredShelf[]> {
  if (!(await hasShelves(store))) return [];
  const entries = await (await store.kv(UPDATES_BUCKET)).entries();
  const blobs = await (await store.blobs(UPDATES_BUCKET)).list();
  const models = new Set([...entries.map(({ key }) => key), ...blobs.map(({ name }) => name)].map(modelOf));
  return [...models].sort().flatMap((model): StoredShelf[] => {
    const { headKey } = shelfKeys(model);
    const own = entries.filter(({ key }) => modelOf(key) === model);
    const shelf = {
      model,
      records: own.map(({ key }) => key).filter((key) => key !== headKey),
      blobs: blobs.filter(({ name }) => modelOf(name) === model),
      changedMs: Math.max(0, ...own.map(({ writtenMs }) => writtenMs)),
    };
    return shelf.records.length + shelf.blobs.length === 0 ? [] : [shelf];
  });
}

/**
 * Removes the updates of a model, the offered one too. Its newest number stays, so that a later learner goes on above it:
 * devices take no number twice. Safe to repeat after KN_UNAVAILABLE; a shelf that is not there is no error.
 */
export async function clearShelf(store: Store, model: string): Promise<void> {
  if (!(await hasShelves(store))) return;
  const records = await store.kv(UPDATES_BUCKET);
  const blobs = await store.blobs(UPDATES_BUCKET);
  const { key, headKey, askedKey } = shelfKeys(model);
  await records.delete(key);
  await records.delete(askedKey);
  await changeKey(records, headKey, (found) => (found === undefined ? undefined : clearedHead(model, found)));
  for (const { name } of await blobs.list(`${model}.`)) await blobs.delete(name);
}

/** Opening a bucket would make it. */
async function hasShelves(store: Store): Promise<boolean> {
  return (await store.buckets()).some(({ kind, name }) => kind === "kv" && name === UPDATES_BUCKET);
}

const modelOf = (name: string): string => name.split(".")[0] ?? "";
