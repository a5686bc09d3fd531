/**
 * What observers of a model have uploaded in the last minute, in one record of the store, changed by compare-and-set: the
 * budget holds in every sliding minute over restarts, and over all observers of the store together.
 */
import { z } from "zod";
import { type Amount, createSlidingBudget, type Spending } from "../../continuous/observation/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { type KvEntry, parseJson, type Store } from "../../runtime/store/index.ts";

/** A record for each model. */
export const OBSERVER_RECORDS = "kn-observers";

const amount = z.number().min(0);
const recordSchema = z.strictObject({
  format: z.literal(1),
  /** Oldest first. */
  spendings: z.array(z.strictObject({ atMs: z.number(), inputs: amount, bytes: amount })),
});

/** Other observers may change it in between: each attempt that fails is one of theirs that succeeded. */
const ATTEMPTS = 16;

/**
 * Charges an amount before it is uploaded. What is charged and not uploaded stays charged.
 *
 * @returns undefined: it may be uploaded now; else the time at which to ask again, ms since 1970. Rejects with
 * KN_UNAVAILABLE (it may be charged) and KN_FENCED (the record changes all the time)
 */
export async function chargeUpload(
  store: Store,
  model: string,
  limits: Amount,
  spending: Spending,
): Promise<number | undefined> {
  const records = await store.kv(OBSERVER_RECORDS);
  for (let attempt = 1; ; attempt += 1) {
    const entry = await records.get(model);
    const budget = createSlidingBudget(limits, earlierIn(entry, limits, spending.atMs));
    const room = budget.room(spending.atMs);
    if (room.inputs < spending.inputs || room.bytes < spending.bytes) {
      const laterMs = budget.nextRoomMs();
      if (laterMs === undefined) throw beyond(model, limits, spending);
      return laterMs;
    }
    budget.spend(spending);
    const record = { format: 1, spendings: budget.spendings(spending.atMs) };
    const value = new TextEncoder().encode(JSON.stringify(record));
    try {
      await (entry === undefined ? records.create(model, value) : records.update(model, value, entry.revision));
      return undefined;
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_FENCED") || attempt === ATTEMPTS) throw error;
    }
  }
}

/** A record that cannot be read stands for a minute that is spent. A clock that was set back makes none last longer. */
function earlierIn(entry: KvEntry | undefined, limits: Amount, nowMs: number): Spending[] {
  if (entry === undefined) return [];
  const found = recordSchema.safeParse(parseJson(entry.value));
  if (!found.success) return [{ ...limits, atMs: Math.min(nowMs, entry.writtenMs) }];
  return found.data.spendings
    .map((each) => ({ ...each, atMs: Math.min(nowMs, each.atMs) }))
    .sort((one, other) => one.atMs - other.atMs);
}

function beyond(model: string, limits: Amount, { inputs, bytes }: Amount): KnowledgeNetError {
  return new KnowledgeNetError("KN_OVERLOADED", {
    attempt: `upload observations of ${model}`,
    rule: `the budget of a minute, ${limits.inputs} inputs of ${limits.bytes} bytes, must hold them`,
    value: `${inputs} inputs of ${bytes} bytes`,
  });
}
