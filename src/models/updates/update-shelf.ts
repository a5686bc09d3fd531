/**
 * Where the learner puts updates and devices get them, in any store. Devices pull, so a link that is cut costs nothing but
 * time. One record of a model lists what is on its shelf; a small one beside it says what is newest, so that a device may
 * look often over a thin link. The blobs are named by the digest of their bytes, so none is ever overwritten by others. Kept
 * are the newest two full updates, and the partial ones since the older of them: a device that
 * is one behind an anchor takes the partial update that is a tenth of its size.
 *
 * Beside them lies at most one candidate: an update of the newest weights that is not promoted, and that devices may
 * compute for comparison. Its promotion is a change of the record; the bytes are there.
 */
import { createHash } from "node:crypto";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { decodeFullUpdateRequest, encodeFullUpdateRequest, type FullUpdateRequest } from "../../messages/index.ts";
import { type Blobs, changeKey, type KeyValue, type Store } from "../../runtime/store/index.ts";
import type { BuiltUpdate } from "./build-update.ts";
import {
  encodeShelf,
  headAfter,
  newestOf,
  NOTHING_SHELVED,
  parseHead,
  parseShelf,
  shelfKeys,
  type ShelfHead,
  type ShelfRecord,
  type ShelvedUpdate,
  UPDATES_BUCKET,
  withEntry,
  withOffer,
  withoutOffer,
} from "../shelf/index.ts";

export interface UpdateShelf {
  /**
   * Durable when it resolves. A full update is stored beside a partial one of its number. Repeated with the same bytes it
   * changes nothing, or restores a blob that was lost. Rejects with KN_FENCED when the number has other bytes or other
   * weights, or is not after the newest; KN_CHECKPOINT or KN_UNAVAILABLE when it cannot be made durable.
   * A newer number ends the offer; that of the candidate's own bytes is its promotion, for which no bytes travel.
   */
  put(built: Pick<BuiltUpdate, "bytes" | "update">): Promise<void>;
  /**
   * Makes it the candidate, in place of another one; durable when it resolves. Repeated it changes nothing. Rejects with
   * KN_FENCED when it is not made from the newest weights, or its number is not above theirs; else as `put`.
   */
  offer(built: Pick<BuiltUpdate, "bytes" | "update">): Promise<void>;
  /** Ends the offer of this number; that there is none is no error. Rejects with KN_UNAVAILABLE. */
  withdraw(number: number): Promise<void>;
  candidate(): Promise<ShelvedUpdate | undefined>;
  /** Some hundred bytes over the link. Undefined: none yet. */
  newest(): Promise<ShelfHead | undefined>;
  /** All that is promoted, by ascending number; of one number the partial one last. */
  list(): Promise<readonly ShelvedUpdate[]>;
  /**
   * A SignedUpdate, the candidate's too. Undefined: it is not here. Rejects with KN_CHECKPOINT when it is damaged.
   * @param kind @default the partial one, or the full one where there is no other
   */
  get(number: number, kind?: ShelvedUpdate["kind"]): Promise<Uint8Array | undefined>;
  /** The newest full update, as `get`. */
  full(): Promise<{ readonly number: number; readonly bytes: Uint8Array } | undefined>;
  /**
   * What is newest, and the candidate, at once and after each change, by whatever process. Done after an abort. Rejects with
   * KN_UNAVAILABLE.
   */
  changes(signal?: AbortSignal): AsyncIterable<ShelfHead | undefined>;
  /** Asks the learner for a full update of the newest number. It stays asked for until that is put. */
  ask(request: FullUpdateRequest): Promise<void>;
  /**
   * What is asked for at once, and whenever a device asks; one for all devices that miss the same. Answered by `put` of a
   * full update that is not older than `newest`. Done after an abort. Rejects with KN_UNAVAILABLE.
   */
  asked(signal?: AbortSignal): AsyncIterable<FullUpdateRequest>;
}

/** Rejects with KN_UNAVAILABLE when the store is away. */
export async function openUpdateShelf(store: Store, model: string): Promise<UpdateShelf> {
  const records = await store.kv(UPDATES_BUCKET);
  const blobs = await store.blobs(UPDATES_BUCKET);
  const { key, headKey, askedKey } = shelfKeys(model);
  const read = async (): Promise<ShelfRecord> => parseShelf(model, await records.get(key));
  const load = async (find: (updates: readonly ShelvedUpdate[]) => ShelvedUpdate | undefined) => {
    const entry = find(entriesOf(await read()));
    const bytes = entry === undefined ? undefined : await blobs.get(blobName(model, entry));
    return entry === undefined || bytes === undefined ? undefined : { number: entry.number, bytes };
  };
  /** Compare-and-set of the record, then of the head. */
  const change = async (next: (record: ShelfRecord) => ShelfRecord): Promise<ShelfChange> => {
    let before = NOTHING_SHELVED;
    let after = before;
    await changeKey(records, key, (found) => {
      before = parseShelf(model, found);
      after = next(before);
      return after === before ? undefined : encodeShelf(after);
    });
    await changeKey(records, headKey, (found) => headAfter(model, after, found));
    return { before, after };
  };
  /** The candidate that a change has ended: its blob goes. */
  const removeEnded = async ({ before: { candidate }, after }: ShelfChange): Promise<void> => {
    const isHeld = entriesOf(after).some((each) => each.content === candidate?.content);
    if (candidate !== undefined && !isHeld) await blobs.delete(blobName(model, candidate));
  };

  return {
    async put({ bytes, update }) {
      const entry = shelvedOf(bytes, update);
      const found = await read();
      withEntry(model, found, entry); // before its bytes travel
      const isOffered = found.candidate?.content === entry.content;
      const blob = blobName(model, entry);
      if (!isOffered || (await blobs.info(blob)) === undefined) await blobs.put(blob, bytes);
      const changed = await change((record) => withEntry(model, record, entry));
      await whileReachable(async () => {
        if (entry.kind === "full") await settleAsked(records, askedKey, entry.number);
        await removeEnded(changed);
        await removeOld(model, blobs, changed.after);
        if (entry.kind === "full") await blobs.sweep();
      });
    },
    async offer({ bytes, update }) {
      const entry = shelvedOf(bytes, update);
      withOffer(model, await read(), update, entry);
      const blob = blobName(model, entry);
      if ((await blobs.info(blob)) === undefined) await blobs.put(blob, bytes);
      const changed = await change((record) => withOffer(model, record, update, entry));
      await whileReachable(() => removeEnded(changed));
    },
    async withdraw(number) {
      const changed = await change((record) => withoutOffer(record, number));
      await whileReachable(() => removeEnded(changed));
    },
    candidate: async () => (await read()).candidate,
    newest: async () => parseHead(model, await records.get(headKey)),
    list: async () => (await read()).updates,
    get: async (number, kind) => {
      const isMeant = (each: ShelvedUpdate): boolean => each.number === number && (kind ?? each.kind) === each.kind;
      return (await load((updates) => updates.findLast(isMeant)))?.bytes;
    },
    full: () => load((updates) => updates.findLast(({ kind }) => kind === "full")),
    async *changes(signal) {
      const entry = await records.get(headKey);
      if (signal?.aborted === true) return;
      yield parseHead(model, entry);
      for await (const change of records.watch(headKey, signal === undefined ? {} : { signal })) {
        if (change.kind === "delete") yield undefined;
        else if (change.entry.revision !== entry?.revision) yield parseHead(model, change.entry);
      }
    },
    async ask(request) {
      await changeKey(records, askedKey, (found) => {
        const before = found === undefined ? undefined : parseAsked(found.value);
        return before !== undefined && before.newest > request.newest ? undefined : encodeFullUpdateRequest(request);
      });
    },
    async *asked(signal) {
      for await (const change of records.watch(askedKey, signal === undefined ? {} : { signal })) {
        const request = change.kind === "delete" ? undefined : parseAsked(change.entry.value);
        if (request !== undefined) yield request;
      }
    },
  };
}

const blobName = (model: string, { number, kind, content }: ShelvedUpdate): string =>
  `${model}.${number}.${kind}.${content}`;

interface ShelfChange {
  readonly before: ShelfRecord;
  readonly after: ShelfRecord;
}

/** The candidate last. */
const entriesOf = ({ updates, candidate }: ShelfRecord): readonly ShelvedUpdate[] =>
  candidate === undefined ? updates : [...updates, candidate];

const shelvedOf = (bytes: Uint8Array, { kind, result }: BuiltUpdate["update"]): ShelvedUpdate => ({
  ...result,
  kind: kind === "full" ? "full" : "partial",
  content: createHash("sha256").update(bytes).digest("hex"),
});

/** Those of puts that were cut off too. One of a number that is kept may belong to a put that goes on. */
async function removeOld(model: string, blobs: Blobs, record: ShelfRecord): Promise<void> {
  const { updates } = record;
  const names = new Set(entriesOf(record).map((entry) => blobName(model, entry)));
  const newest = newestOf(record)?.number ?? 0;
  const oldestPartial = updates.find(({ kind }) => kind === "partial")?.number ?? newest;
  const newestFull = updates.findLast(({ kind }) => kind === "full")?.number ?? 0;
  for (const { name, revision } of await blobs.list(`${model}.`)) {
    const [, number, kind] = name.split(".");
    const isOld = Number(number) < (kind === "full" ? newestFull : oldestPartial);
    if (isOld && !names.has(name)) await blobs.delete(name, { revision });
  }
}

async function settleAsked(records: KeyValue, key: string, number: number): Promise<void> {
  const found = await records.get(key);
  if (found === undefined || (parseAsked(found.value)?.newest ?? 0) > number) return;
  await records.delete(key, found.revision);
}

/** Undefined: it is not a request; whoever made it asks again. */
function parseAsked(value: Uint8Array): FullUpdateRequest | undefined {
  try {
    return decodeFullUpdateRequest(value);
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_DECODE")) return undefined;
    throw error;
  }
}

/** The shelf is changed: what is left to do the next `put` does. */
async function whileReachable(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isKnowledgeNetError(error)) throw error;
  }
}
