/** Appends held observations to the model's log, slot after slot, each charged before; waits while the store is away. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { ObservedInput } from "../../messages/index.ts";
import { openObservationLog } from "../../models/observations/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import type { HeldObservations } from "./held-observations.ts";
import type { ObserverActorDeps, ObserverActorOptions } from "./observer-options.ts";
import { chargeUpload } from "./upload-budget.ts";

export type ObservationUploadOptions = Pick<ObserverActorOptions, "budget" | "maxEntries"> & { readonly model: string };

export interface ObservationUploadDeps extends Pick<ObserverActorDeps, "clock" | "log" | "store"> {
  readonly held: HeldObservations;
  /** ms since 1970, never going back. */
  readonly nowMs: () => number;
  /** The store takes nothing, or again. */
  readonly onStore: (event: "StoreLost" | "StoreFound") => void;
}

export interface ObservationUpload {
  /** Observations in the log, and those that the store will never take. */
  readonly counts: Readonly<Record<"logged" | "refused", number>>;
  /** Of the inputs in the log, since the start. */
  readonly bytes: number;
  /** There is something to append. */
  kick(): void;
  /** Resolves when nothing is held, or after `end`. */
  whenIdle(): Promise<void>;
  /** Ends the waiting; resolves when nothing is under way. */
  end(): Promise<void>;
}

/** An append begins within this time of its charge, ms: beside a minute it is nothing. */
const LATEST_MS = 1_000;
/** Pause before the next attempt while the store is away, ms. */
const RETRY_MS = 1_000;

export function createObservationUpload(
  { model, budget, maxEntries }: ObservationUploadOptions,
  { clock, log, store, held, nowMs, onStore }: ObservationUploadDeps,
): ObservationUpload {
  const counts = { logged: 0, refused: 0 };
  let bytes = 0;
  const limits = { inputs: budget.inputsPerMinute, bytes: budget.bytesPerMinute };
  const ending = new AbortController();
  let isAway = false;
  let working: Promise<void> | undefined;

  const append = async (opened: Store, group: readonly ObservedInput[], chargedMs: number): Promise<void> => {
    const observations = await openObservationLog(opened, model, { maxEntries });
    for (const observation of group) {
      if (nowMs() > chargedMs + LATEST_MS) return; // the rest is charged again
      try {
        await observations.append(observation);
        counts.logged += 1;
        bytes += observation.input.values.byteLength;
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_OVERLOADED", "KN_NUMERIC")) throw error;
        counts.refused += 1;
        log.warn({ err: error }, "observation refused by the store");
      }
      held.remove(observation);
    }
  };

  /** @returns how long to wait before the next attempt, ms */
  const upload = async (group: readonly ObservedInput[]): Promise<number> => {
    const groupBytes = group.reduce((sum, { input }) => sum + input.values.byteLength, 0);
    const laterMs = await store.use(async (opened) => {
      const atMs = nowMs();
      const later = await chargeUpload(opened, model, limits, { atMs, inputs: group.length, bytes: groupBytes });
      if (later === undefined) await append(opened, group, atMs);
      return later;
    });
    if (isAway) onStore("StoreFound");
    isAway = false;
    return laterMs === undefined ? 0 : Math.max(1, laterMs - nowMs());
  };

  const attempt = async (group: readonly ObservedInput[]): Promise<number> => {
    try {
      return await upload(group);
    } catch (error) {
      if (!isAway) {
        log.warn({ err: error }, "observations not appended; trying again");
        onStore("StoreLost");
      }
      isAway = true;
      return RETRY_MS;
    }
  };

  const work = async (): Promise<void> => {
    for (let group = held.begin(nowMs()); group !== undefined; group = held.begin(nowMs())) {
      const waitMs = await attempt(group);
      if (waitMs > 0) await clock.sleep(waitMs, ending.signal).catch(() => undefined);
      if (ending.signal.aborted) return;
    }
  };

  return {
    counts,
    get bytes() {
      return bytes;
    },
    kick() {
      if (ending.signal.aborted) return;
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    whenIdle: () => working ?? Promise.resolve(),
    async end() {
      ending.abort();
      await working;
    },
  };
}
