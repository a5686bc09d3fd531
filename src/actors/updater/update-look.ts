/**
 * One look at the shelf and at what is live: gets what is missing, makes the weights, publishes them as a release and
 * promotes it. Level-triggered: a look starts from the stores and from the updater's record, whatever happened before, so
 * that after a failure or a crash the next look goes on.
 */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { NumberedWeights } from "../../messages/index.ts";
import type { LiveRecord } from "../../models/index.ts";
import {
  type DeviceUpdates,
  digestOfTensors,
  dueRequest,
  durableOf,
  linkReturned,
  openDeviceUpdates,
  promoteOffered,
  receiveUpdate,
  settleUpdate,
  type ShelfHead,
  type ShelvedUpdate,
  type UpdatePlan,
  type UpdateShelf,
} from "../../models/updates/index.ts";
import { createCounters } from "../../runtime/stream/index.ts";
import { type MadeWeights, makeWeights } from "./make-weights.ts";
import { createOfferLooks } from "./offer-look.ts";
import { createShelfReader } from "./shelf-reader.ts";
import { siteWeights } from "./site-weights.ts";
import type { UpdaterActorDeps, UpdaterActorOptions } from "./updater-options.ts";
import { storedRecord } from "./updater-record.ts";
import {
  AUTHOR,
  fullToGet,
  heldBy,
  judgeLive,
  NO_RECORD,
  partialsToGet,
  type UpdaterRecord,
  withPromotion,
} from "./updater-state.ts";

/** Of this process. */
export interface UpdateFigures {
  /** Number of the newest weights that were made live; 0: none. */
  readonly number: number;
  /** Newest number that was seen. */
  readonly newest: number;
  /** Number of what is offered and computed as a shadow; 0: nothing. */
  readonly candidate: number;
  /** Since when they are live, ms since 1970. */
  readonly liveSinceMs?: number;
  readonly applied: number;
  readonly appliedBytes: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly fullAsked: number;
}

export interface Look {
  readonly found: "waiting" | "current" | "paused";
  /** When a request for a full update is due, by the clock's `now`. */
  readonly dueAtMs?: number;
}

export interface UpdateLooks {
  readonly figures: UpdateFigures;
  /** Rejects with what a store, the model or the thread failed with; the next look goes on from there. */
  look(): Promise<Look>;
  /** The shelf could be reached again: a request that waits is due soon. */
  linkReturned(): void;
}

const KEPT_RELEASES = 4;
const SHADOW_PERCENT = 100;

export function createUpdateLooks(
  {
    updates: bounds = {},
    keptReleases = KEPT_RELEASES,
    shadowPercent = SHADOW_PERCENT,
  }: Pick<UpdaterActorOptions, "updates" | "keptReleases" | "shadowPercent">,
  deps: UpdaterActorDeps & { readonly onApplying: () => void },
): UpdateLooks {
  const { model, models, openShelf, apply, clock, log, random, onApplying } = deps;
  const { name } = model;
  const stored = storedRecord(models, name);
  const weights = siteWeights(model);
  const refused = createCounters();
  const figures = { applied: 0, appliedBytes: 0, fullAsked: 0 };
  const reader = createShelfReader();
  let liveSinceMs: number | undefined;
  let record: UpdaterRecord = NO_RECORD;
  /** Undefined: it is opened from the record. */
  let device: DeviceUpdates | undefined;
  /** Of the live release, while the site has no weights of the learner's. */
  let served: { readonly release: number; readonly digest: string } | undefined;

  const moment = () => ({ nowMs: clock.now(), jitter: random() });
  const reopen = (): void => {
    device = undefined;
    reader.forget();
  };

  const write = async (next: UpdaterRecord): Promise<void> => {
    try {
      await stored.write(next);
      record = next;
    } catch (error) {
      reopen();
      throw error;
    }
  };

  const open = async (): Promise<DeviceUpdates> => {
    if (device !== undefined) return device;
    record = await stored.read();
    const weightsOf = ({ number, digest }: NumberedWeights): NumberedWeights => ({ number, digest });
    const kept = record.kept.map(weightsOf);
    const offered = record.offered === undefined ? {} : { offered: weightsOf(record.offered) };
    device = openDeviceUpdates({ model: name, kept, newest: record.newest, ...offered }, moment(), bounds).state;
    return device;
  };

  const refuse = (update: ShelvedUpdate, reason: string, error?: Error): void => {
    refused.count(reason);
    log.warn({ number: update.number, reason, ...(error === undefined ? {} : { err: error }) }, "update refused");
  };

  const takeIn = async (shelf: UpdateShelf, wanted: readonly ShelvedUpdate[]): Promise<void> => {
    for (const each of wanted) {
      const bytes = await reader.get(shelf, each, (error) => {
        refuse(each, "damaged", error);
      });
      if (bytes === undefined) continue;
      const { state, decision } = receiveUpdate(await open(), bytes, moment(), bounds);
      device = state;
      if (decision.kind === "ignore" && decision.reason !== "duplicate") refuse(each, decision.reason, decision.error);
    }
  };

  /**
   * A site that serves the weights of a number already, as it does where the learner began with its release, gets no full
   * update of them. Not where keys are trusted: what the shelf says of an update is not signed.
   */
  const adopt = async (current: DeviceUpdates, live: LiveRecord, list: readonly ShelvedUpdate[]): Promise<void> => {
    const isBeginning = current.kept.length === 0 && current.newest === 0 && list.length > 0;
    if (!isBeginning || live.live === undefined || (bounds.trusted ?? []).length > 0) return;
    if (served?.release !== live.live) {
      const release = await model.release(live.live);
      served = { release: live.live, digest: digestOfTensors(await weights.load(release)) };
    }
    const { release, digest } = served;
    const found = list.findLast((each) => each.digest === digest);
    if (found === undefined) return;
    await write({ ...record, kept: [{ number: found.number, digest, release }], newest: found.number });
    reopen();
    log.info({ release, number: found.number }, "the live release has the weights of this update");
  };

  /** A release that somebody else made live stays so until an update that is newer than what was seen. @returns whether it does */
  const isPaused = async (live: LiveRecord): Promise<boolean> => {
    const history =
      record.promotion === undefined || live.live === record.promotion.release ? [] : await model.history();
    switch (judgeLive(record, live, history)) {
      case "own": {
        const { pausedAt, ...rest } = record;
        if (pausedAt !== undefined) await write(rest);
        return false;
      }
      case "promote":
        await promote();
        return false;
      case "other":
        if (record.pausedAt === undefined) {
          await write({ ...record, pausedAt: device?.newest ?? record.newest });
          const release = live.live ?? "none";
          log.warn({ release, by: live.last?.by }, "another release was made live: paused until the next update");
        }
        return true;
    }
  };

  const promote = async (): Promise<void> => {
    const { promotion, kept } = record;
    if (promotion === undefined) return;
    const reason = `update ${kept[0]?.number}`;
    const after = await model.promote(promotion.release, { reason, by: AUTHOR });
    liveSinceMs = after.sinceMs;
    log.info({ release: promotion.release, number: kept[0]?.number }, "update is live");
    await retain();
  };

  const retain = async (): Promise<void> => {
    const promoted = record.promotion === undefined ? [] : [record.promotion.release];
    const used = [...promoted, ...heldBy(record).map(({ release }) => release)];
    await weights.retain(keptReleases, used).catch((error: unknown) => {
      if (!isKnowledgeNetError(error)) throw error;
      log.warn({ err: error }, "old releases stay until the next update");
    });
  };

  const make = (plan: UpdatePlan, { live }: LiveRecord): Promise<MadeWeights> =>
    makeWeights(plan, { kept: heldBy(record), live }, { model, weights, apply, clock });

  /** @returns false when somebody else has made another release live meanwhile */
  const applyPlan = async (current: DeviceUpdates, plan: UpdatePlan): Promise<boolean> => {
    const made = await make(plan, await model.live());
    if (made.outcome !== "made") {
      if (made.outcome === "failed") {
        refused.count("not-applied");
        log.warn({ err: made.error, number: plan.result.number }, "update not applied");
      }
      device = settleUpdate(current, made.outcome, moment(), bounds).state;
      return true;
    }
    const live = await model.live();
    if (record.pausedAt === undefined && (await isPaused(live))) {
      reopen();
      return false;
    }
    const settled = settleUpdate(current, "applied", moment(), bounds).state;
    await write(withPromotion(record, durableOf(settled), { ...plan.result, release: made.release }, live.change));
    device = settled;
    figures.appliedBytes += reader.takeSizes(plan.steps.map(({ result }) => result.number));
    figures.applied += plan.steps.length;
    await promote();
    return true;
  };

  const behind = ({ kept, newest }: DeviceUpdates): boolean => kept.length === 0 || (kept[0]?.number ?? 0) < newest;

  const askWhenDue = async (shelf: UpdateShelf, current: DeviceUpdates): Promise<DeviceUpdates> => {
    const due = dueRequest(current, moment(), bounds);
    if (due.request === undefined) return current;
    await shelf.ask(due.request);
    figures.fullAsked += 1;
    reader.forget();
    log.info({ newest: due.request.newest }, "asked for a full update");
    return due.state;
  };

  const offers = createOfferLooks({
    ...{ model, bounds, log, percent: shadowPercent },
    site: {
      get record() {
        return record;
      },
      ...{ write, open, reopen, make, refuse, retain },
      hold(held) {
        device = held;
      },
      onMade(sizeBytes) {
        figures.applied += 1;
        figures.appliedBytes += sizeBytes;
      },
    },
  });

  /** @param isHeld somebody else has made another release live */
  const follow = async (shelf: UpdateShelf, live: LiveRecord, isHeld: boolean, newest?: ShelfHead): Promise<Look> => {
    const state = { of: await open() };
    const heldUpTo = isHeld ? (record.pausedAt ?? 0) : 0;
    if (isHeld && (newest?.number ?? 0) <= heldUpTo) return { found: "paused" };
    if (!behind(state.of) && (newest?.number ?? 0) <= state.of.newest) return { found: "current" };

    const list = await reader.list(shelf, newest);
    await adopt(state.of, live, list);
    device = await open();
    if (newest !== undefined) device = promoteOffered(device, newest);
    if (device.applying === undefined) await takeIn(shelf, partialsToGet(list, device));
    state.of = await open();
    if (state.of.applying === undefined) await takeIn(shelf, fullToGet(list, state.of));
    state.of = await open();
    if (state.of.newest > record.newest) await write({ ...record, newest: state.of.newest });
    if (isHeld && state.of.newest <= heldUpTo) return { found: "paused" };
    while (state.of.applying !== undefined) {
      onApplying();
      if (!(await applyPlan(state.of, state.of.applying))) return { found: "paused" };
      state.of = await open();
    }
    const wanted = [...partialsToGet(list, state.of), ...(behind(state.of) ? fullToGet(list, state.of) : [])];
    if (wanted.some(reader.isNew)) return { found: "waiting", dueAtMs: clock.now() };
    device = await askWhenDue(shelf, state.of);
    const dueAtMs = device.request?.dueAtMs;
    return { found: behind(device) ? "waiting" : "current", ...(dueAtMs === undefined ? {} : { dueAtMs }) };
  };

  return {
    get figures() {
      const number = record.kept[0]?.number ?? 0;
      const since = liveSinceMs === undefined ? {} : { liveSinceMs };
      const own = { number, newest: device?.newest ?? record.newest, candidate: offers.shadow };
      return { ...own, ...since, ...figures, refused: refused.snapshot() };
    },
    linkReturned() {
      if (device !== undefined) device = linkReturned(device, moment(), bounds);
    },
    async look() {
      const shelf = await openShelf();
      await open();
      const live = await model.live();
      if (live.live === record.promotion?.release) liveSinceMs = live.sinceMs;
      const isHeld = await isPaused(live);
      const newest = await shelf.newest();
      await offers.end(live, newest);
      const look = await follow(shelf, live, isHeld, newest);
      if (look.found === "current") await offers.follow(shelf, newest);
      return look;
    },
  };
}
