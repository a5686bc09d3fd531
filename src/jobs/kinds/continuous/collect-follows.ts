/**
 * What continuous runs leave in a store: removal of one run's state and history, and collection of what no run and no model
 * needs any more. A plan deletes nothing; `apply` deletes what the plan lists.
 */
import {
  removeLabels,
  removeSaves,
  savesOf,
  storedLearners,
  unusedLabels,
  unusedSaves,
} from "../../../actors/learner/index.ts";
import { listModels } from "../../../models/index.ts";
import { observationsOf, openObservationLog } from "../../../models/observations/index.ts";
import { clearShelf, storedShelves } from "../../../models/shelf/index.ts";
import type { BlobInfo, Store } from "../../../runtime/store/index.ts";
import { FOLLOW_HISTORY_PREFIX, historyOf } from "./create-learner.ts";

export interface FollowItem {
  readonly kind: "learner record" | "history" | "blob" | "labels" | "shelf record" | "observations";
  readonly name: string;
  readonly sizeBytes?: number;
}

export interface FollowCollection {
  readonly items: readonly FollowItem[];
  /** Safe to repeat after KN_UNAVAILABLE: what is gone is no error. */
  apply(): Promise<void>;
}

/**
 * The saved state of a run and what it has decided. Labels, updates and observations are not a run's alone. No items: there
 * is no such run.
 */
export async function planFollowRemoval(run: string, store: Store): Promise<FollowCollection> {
  const saves = await savesOf(store, run);
  const runs = (await storedLearners(store)).map((each) => each.run).filter((each) => each === run);
  const histories = (await store.logs(historyOf(run))).filter((log) => log === historyOf(run));
  return {
    items: [...named("learner record", runs), ...named("history", histories), ...saves.map(blobItem)],
    async apply() {
      for (const log of histories) await store.removeLog(log);
      // The record last: while it is there, the removal can be repeated by name.
      await removeSaves(store, saves, runs);
    },
  };
}

export interface FollowCollectionOptions {
  /** What a run or a model may still begin to need is left alone when it is younger, ms since 1970. */
  readonly beforeMs: number;
  readonly nowMs: number;
  /** No process uses the store. */
  readonly isIdle: boolean;
}

/**
 * Saves that no learner needs, histories of removed runs, labels of an oracle's version that no run uses, and updates and
 * expired observations of models that have neither a release nor a learner here.
 */
export async function planFollowCollection(
  store: Store,
  { beforeMs, nowMs, isIdle }: FollowCollectionOptions,
): Promise<FollowCollection> {
  const saves = await unusedSaves(store, { isIdle });
  const learners = await storedLearners(store);
  const runs = new Set(learners.map(({ run }) => run));
  const histories = (await store.logs(FOLLOW_HISTORY_PREFIX)).filter(
    (log) => !runs.has(log.slice(FOLLOW_HISTORY_PREFIX.length)),
  );
  // A learner of another version may use any of them.
  const isKnown = learners.every(({ record }) => record !== undefined);
  const records = learners.flatMap(({ record }) => record ?? []);
  const used = new Set(records.flatMap(({ oracle }) => oracle ?? []));
  const labels = isKnown ? (await unusedLabels(store, used)).filter(({ newestMs }) => newestMs < beforeMs) : [];
  const models = new Set([
    ...records.map(({ model }) => model),
    ...(await listModels(store)).map(({ model }) => model),
  ]);
  const isGone = (model: string): boolean => isKnown && !models.has(model);
  const shelves = (await storedShelves(store)).filter(({ model, changedMs }) => isGone(model) && changedMs < beforeMs);
  const observed = await expiredOf((await observedModels(store)).filter(isGone), nowMs, store);
  return {
    items: [
      ...named("history", histories),
      ...saves.map(blobItem),
      ...named(
        "labels",
        labels.map(({ version }) => version),
      ),
      ...named(
        "shelf record",
        shelves.flatMap((shelf) => shelf.records),
      ),
      ...shelves.flatMap(({ blobs }) => blobs.map(blobItem)),
      ...named("observations", observed.map(observationsOf)),
    ],
    async apply() {
      await removeSaves(store, saves, []);
      for (const { version } of labels) await removeLabels(store, version);
      for (const { model } of shelves) await clearShelf(store, model);
      for (const log of [...histories, ...observed.map(observationsOf)]) await store.removeLog(log);
    },
  };
}

const named = (kind: FollowItem["kind"], names: readonly string[]): FollowItem[] =>
  names.map((name) => ({ kind, name }));
const blobItem = ({ name, sizeBytes }: BlobInfo): FollowItem => ({ kind: "blob", name, sizeBytes });

async function observedModels(store: Store): Promise<string[]> {
  return (await store.logs(observationsOf(""))).map((log) => log.slice(observationsOf("").length));
}

/** Those whose observations are all past their time. */
async function expiredOf(models: readonly string[], nowMs: number, store: Store): Promise<string[]> {
  const expired: string[] = [];
  for (const model of models) {
    let lastMs = 0;
    for await (const { observation } of (await openObservationLog(store, model)).read())
      lastMs = Math.max(lastMs, observation?.expiresAtMs ?? 0);
    if (lastMs <= nowMs) expired.push(model);
  }
  return expired;
}
