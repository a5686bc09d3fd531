/**
 * What an updater remembers and what it concludes from it. Pure.
 *
 * The record is written before anything that follows from it is done: a promotion is in it, with the number of the last
 * change of what is live, before it is made. After a crash in between the model's own history says whether it was made.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { LiveChange, LiveRecord } from "../../models/index.ts";
import type { DeviceUpdates, DurableUpdates, ShelfHead, ShelvedUpdate } from "../../models/updates/index.ts";
import { parseJson } from "../../runtime/store/index.ts";

/** Author of the changes that it makes of what is live. */
export const AUTHOR = "kn-updater";

/** Partial updates in one go; of more a full update is the shorter way. A device keeps 32 that wait. */
const MAX_CHAIN = 30;

const count = z.int().min(0);
const recordSchema = z.object({
  format: z.literal(1),
  /** Weights that the site has, the newest first, and the release that holds them. */
  kept: z.array(z.object({ number: count, digest: z.string(), release: count })),
  /** Newest number that it has seen. */
  newest: count,
  /** The last promotion that it decided on, and the last change of the live record then. */
  promotion: z.object({ release: count, after: count }).optional(),
  /** Newest number that it had seen when somebody else made another release live; what is newer ends the pause. */
  pausedAt: count.optional(),
  /** Weights that were offered, the release that holds them, and the last change of the live record then. */
  offered: z
    .object({ number: count, digest: z.string(), content: z.string(), release: count, after: count })
    .optional(),
});
export type UpdaterRecord = z.infer<typeof recordSchema>;

export const NO_RECORD: UpdaterRecord = { format: 1, kept: [], newest: 0 };

export function encodeUpdaterRecord(record: UpdaterRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** @throws KnowledgeNetError KN_CHECKPOINT */
export function parseUpdaterRecord(model: string, value: Uint8Array): UpdaterRecord {
  const parsed = recordSchema.safeParse(parseJson(value));
  if (parsed.success) return parsed.data;
  throw new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `go on with the updates of ${model}`,
    rule: "the updater's record must be one of this version",
    value: new TextDecoder().decode(value.subarray(0, 100)),
    remedy: "use the version of knowledgenet that wrote it",
  });
}

/** The record before weights are made live: they are among those that it keeps. A pause and an offer end. */
export function withPromotion(
  record: UpdaterRecord,
  { kept, newest }: DurableUpdates,
  made: UpdaterRecord["kept"][number],
  after: number,
): UpdaterRecord {
  const withRelease = kept.flatMap(({ number, digest }) => {
    const found = [made, ...heldBy(record)].find((each) => each.digest === digest);
    return found === undefined ? [] : [{ number, digest, release: found.release }];
  });
  return { format: 1, kept: withRelease, newest, promotion: { release: made.release, after } };
}

/** Weights that the site has, what was offered included. */
export function heldBy({ kept, offered }: UpdaterRecord): UpdaterRecord["kept"] {
  return offered === undefined ? kept : [...kept, offered];
}

/**
 * - `own`: what the updater promoted last is live, or it has promoted nothing yet
 * - `promote`: it crashed, or its store was away, before it promoted what its record says
 * - `other`: somebody else has made another release live since
 */
export type LiveVerdict = "own" | "promote" | "other";

export function judgeLive(
  { promotion }: UpdaterRecord,
  { live }: LiveRecord,
  history: readonly LiveChange[],
): LiveVerdict {
  if (promotion === undefined || live === promotion.release) return "own";
  return history.some(({ change, from, to }) => change > promotion.after && from !== to) ? "other" : "promote";
}

/** Whether the offer has ended without its promotion. */
export function isOver({ number, digest, content }: NonNullable<UpdaterRecord["offered"]>, head?: ShelfHead): boolean {
  if (head?.number === number && head.digest === digest) return false;
  return head?.candidate?.content !== content || head.candidate.number !== number;
}

/**
 * - `own`: the offered weights are the shadow
 * - `start`: they are to be: they were not yet, or something else was made live meanwhile
 * - `other`: somebody else has a candidate
 * - `ended`: somebody has ended it
 */
export type ShadowVerdict = "own" | "start" | "other" | "ended";

export function judgeShadow(
  { release, after }: NonNullable<UpdaterRecord["offered"]>,
  { candidate }: LiveRecord,
  history: readonly LiveChange[],
): ShadowVerdict {
  if (candidate !== undefined) return candidate.release === release && candidate.mode === "shadow" ? "own" : "other";
  const isEnded = history.some(
    (each) => each.change > after && each.kind === "candidate-ended" && each.candidate?.release === release,
  );
  return isEnded ? "ended" : "start";
}

/**
 * The partial updates after what the device has, newest first: so that those between are not made live one by one. None
 * where there is a full one that saves a long chain; else the first of a long chain.
 */
export function partialsToGet(list: readonly ShelvedUpdate[], device: DeviceUpdates): readonly ShelvedUpdate[] {
  const [held] = device.kept;
  if (held === undefined) return [];
  const after = list.filter(({ kind, number }) => kind === "partial" && number > held.number);
  if (after.length > MAX_CHAIN && fullToGet(list, device).length > 0) return [];
  return after.slice(0, MAX_CHAIN).toReversed();
}

/** The newest full update that is of use, and the partial ones after it. */
export function fullToGet(list: readonly ShelvedUpdate[], { kept }: DeviceUpdates): readonly ShelvedUpdate[] {
  const full = list.findLast(({ kind }) => kind === "full");
  if (full === undefined || full.number <= (kept[0]?.number ?? 0)) return [];
  const after = list.filter(({ kind, number }) => kind === "partial" && number > full.number);
  return [...after.toReversed(), full];
}
