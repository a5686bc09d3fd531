/** The saved learners of a store, for whoever lists or removes them. */
import type { BlobInfo, Store } from "../../runtime/store/index.ts";
import { type LearnerRecord, LEARNERS_BUCKET, parseLearnerRecord } from "./learner-memory.ts";

export interface StoredLearner {
  readonly run: string;
  /** When it was last saved, ms since 1970. */
  readonly changedMs: number;
  /** Absent: it is of another version. */
  readonly record?: LearnerRecord;
}

/** By run. Rejects with KN_UNAVAILABLE. */
export async function storedLearners(store: Store): Promise<readonly StoredLearner[]> {
  if (!(await hasLearners(store))) return [];
  const entries = await (await store.kv(LEARNERS_BUCKET)).entries();
  return entries.map(({ key, value, writtenMs }) => {
    const record = parseLearnerRecord(value);
    return { run: key, changedMs: writtenMs, ...(record === undefined ? {} : { record }) };
  });
}

/** All saves of a run, those that were cut off too. */
export async function savesOf(store: Store, run: string): Promise<readonly BlobInfo[]> {
  return (await hasLearners(store)) ? (await store.blobs(LEARNERS_BUCKET)).list(`${run}.`) : [];
}

/**
 * Saves that no record needs: older ones than the one before the newest, and those that were cut off.
 *
 * @param isIdle no learner saves in this store: else a save that no record names yet stays
 */
export async function unusedSaves(
  store: Store,
  { isIdle }: { readonly isIdle: boolean },
): Promise<readonly BlobInfo[]> {
  if (!(await hasLearners(store))) return [];
  // Blobs before records: what is saved meanwhile is not among them.
  const blobs = await (await store.blobs(LEARNERS_BUCKET)).list();
  const learners = new Map((await storedLearners(store)).map((each) => [each.run, each]));
  return blobs.filter(({ name }) => {
    const [run = "", sequence] = name.split(".");
    const learner = learners.get(run);
    if (learner === undefined) return isIdle;
    const newest = learner.record?.sequence;
    if (newest === undefined) return false;
    return Number(sequence) < newest - 1 || (isIdle && Number(sequence) > newest);
  });
}

/** Deletes saves as they were listed, then the records of `runs`. Safe to repeat after KN_UNAVAILABLE. */
export async function removeSaves(store: Store, saves: readonly BlobInfo[], runs: readonly string[]): Promise<void> {
  if (!(await hasLearners(store))) return;
  const [records, blobs] = await Promise.all([store.kv(LEARNERS_BUCKET), store.blobs(LEARNERS_BUCKET)]);
  for (const { name, revision } of saves) await blobs.delete(name, { revision });
  for (const run of runs) await records.delete(run);
}

/** Opening a bucket would make it. */
async function hasLearners(store: Store): Promise<boolean> {
  return (await store.buckets()).some(({ name }) => name === LEARNERS_BUCKET);
}
