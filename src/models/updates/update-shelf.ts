/**
 * Where the learner puts updates and devices get them, in any store. Devices pull, so a link that is cut costs nothing but
 * time. One record of a model lists what is on its shelf; a small one beside it says what is newest, so that a device may
 * look often over a thin link. The blobs are named by the digest of their bytes, so none is ever overwritten by others. Kept
 * are the newest two full updates, and the partial ones since the older of them: a device that
 * is one behind an anchor takes the partial update that is a tenth of its size.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  decodeFullUpdateRequest,
  encodeFullUpdateRequest,
  type FullUpdateRequest,
  type NumberedWeights,
} from "../../messages/index.ts";
import {
  type Blobs,
  changeKey,
  type KeyValue,
  type KvEntry,
  parseJson,
  type Store,
} from "../../runtime/store/index.ts";
import type { BuiltUpdate } from "./build-update.ts";

/** Bucket of the records and of the blobs. */
const BUCKET = "kn-updates";
const KEPT_FULL = 2;
/** Of 190 bytes each in the record, which has 512 KiB; an anchor follows after some 20. */
const MAX_PARTIAL = 1_000;

const shelvedSchema = z.object({
  number: z.int().min(1),
  /** Of the tensors that it makes, SHA-256. */
  digest: z.string(),
  kind: z.enum(["partial", "full"]),
  /** SHA-256 of the bytes. */
  content: z.string(),
});
const shelfSchema = z.object({ format: z.literal(1), updates: z.array(shelvedSchema) });
const headSchema = z.object({
  format: z.literal(1),
  /** Newest number and the digest of its tensors. */
  number: z.int().min(1),
  digest: z.string(),
  /** Number of the newest full update; 0: none. */
  full: z.int().min(0),
});

/** What the shelf says of an update without giving it: unsigned, so only for deciding what to get. */
export type ShelvedUpdate = z.infer<typeof shelvedSchema>;

/** What is newest. It differs after each `put` that changes the shelf. */
export interface ShelfHead extends NumberedWeights {
  /** Number of the newest full update; 0: none. */
  readonly full: number;
}

export interface UpdateShelf {
  /**
   * Durable when it resolves. A full update is stored beside a partial one of its number. Repeated with the same bytes it
   * changes nothing, or restores a blob that was lost. Rejects with KN_FENCED when the number has other bytes or other
   * weights, or is not after the newest; KN_CHECKPOINT or KN_UNAVAILABLE when it cannot be made durable.
   */
  put(built: Pick<BuiltUpdate, "bytes" | "update">): Promise<void>;
  /** Some hundred bytes over the link. Undefined: none yet. */
  newest(): Promise<ShelfHead | undefined>;
  /** All of it, by ascending number; of one number the partial one last. */
  list(): Promise<readonly ShelvedUpdate[]>;
  /**
   * A SignedUpdate. Undefined: it is not here. Rejects with KN_CHECKPOINT when it is damaged.
   * @param kind @default the partial one, or the full one where there is no other
   */
  get(number: number, kind?: ShelvedUpdate["kind"]): Promise<Uint8Array | undefined>;
  /** The newest full update, as `get`. */
  full(): Promise<{ readonly number: number; readonly bytes: Uint8Array } | undefined>;
  /** What is newest at once, and after each `put`, by whatever process. Done after an abort. Rejects with KN_UNAVAILABLE. */
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
  const records = await store.kv(BUCKET);
  const blobs = await store.blobs(BUCKET);
  const key = `${model}.shelf`;
  const headKey = `${model}.newest`;
  const askedKey = `${model}.asked`;
  const read = async (): Promise<readonly ShelvedUpdate[]> => parseShelf(model, await records.get(key));
  const load = async (find: (updates: readonly ShelvedUpdate[]) => ShelvedUpdate | undefined) => {
    const entry = find(await read());
    const bytes = entry === undefined ? undefined : await blobs.get(blobName(model, entry));
    return entry === undefined || bytes === undefined ? undefined : { number: entry.number, bytes };
  };

  return {
    async put({ bytes, update }) {
      const kind = update.kind === "full" ? "full" : "partial";
      const entry: ShelvedUpdate = {
        ...update.result,
        kind,
        content: createHash("sha256").update(bytes).digest("hex"),
      };
      withEntry(model, await read(), entry); // before its bytes travel
      await blobs.put(blobName(model, entry), bytes);
      let kept: readonly ShelvedUpdate[] = [];
      await changeKey(records, key, (found) => {
        const before = parseShelf(model, found);
        kept = withEntry(model, before, entry);
        return kept === before ? undefined : encodeShelf(kept);
      });
      const head = headOf(kept);
      await changeKey(records, headKey, (found) => {
        const before = parseHead(model, found);
        return before !== undefined && !isAfter(head, before) ? undefined : encodeHead(head);
      });
      await whileReachable(async () => {
        if (kind === "full") await settleAsked(records, askedKey, entry.number);
        await removeOld(model, blobs, kept);
        if (kind === "full") await blobs.sweep();
      });
    },
    newest: async () => parseHead(model, await records.get(headKey)),
    list: read,
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

const encodeShelf = (updates: readonly ShelvedUpdate[]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ format: 1, updates: [...updates] } satisfies z.input<typeof shelfSchema>));

const encodeHead = (head: ShelfHead): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ format: 1, ...head } satisfies z.input<typeof headSchema>));

/** @throws KnowledgeNetError KN_CHECKPOINT */
function parseShelf(model: string, entry: KvEntry | undefined): readonly ShelvedUpdate[] {
  if (entry === undefined) return [];
  const parsed = shelfSchema.safeParse(parseJson(entry.value));
  if (parsed.success) return parsed.data.updates;
  throw otherVersion(model, entry);
}

/** @throws KnowledgeNetError KN_CHECKPOINT */
function parseHead(model: string, entry: KvEntry | undefined): ShelfHead | undefined {
  if (entry === undefined) return undefined;
  const parsed = headSchema.safeParse(parseJson(entry.value));
  if (!parsed.success) throw otherVersion(model, entry);
  const { number, digest, full } = parsed.data;
  return { number, digest, full };
}

function otherVersion(model: string, { value }: KvEntry): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `read which updates of ${model} there are`,
    rule: "the record must be one of this version",
    value: new TextDecoder().decode(value.subarray(0, 100)),
    remedy: "use the version of knowledgenet that wrote it",
  });
}

/** @param updates at least one */
function headOf(updates: readonly ShelvedUpdate[]): ShelfHead {
  const { number = 0, digest = "" } = newestOf(updates) ?? {};
  return { number, digest, full: updates.findLast(({ kind }) => kind === "full")?.number ?? 0 };
}

const isAfter = (head: ShelfHead, before: ShelfHead): boolean =>
  head.number > before.number || (head.number === before.number && head.full > before.full);

function newestOf(updates: readonly ShelvedUpdate[]): NumberedWeights | undefined {
  const last = updates.at(-1);
  return last === undefined ? undefined : { number: last.number, digest: last.digest };
}

/** @returns `updates` itself when the entry is among them. @throws KnowledgeNetError KN_FENCED */
function withEntry(model: string, updates: readonly ShelvedUpdate[], entry: ShelvedUpdate): readonly ShelvedUpdate[] {
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_FENCED", {
      attempt: `put the ${entry.kind} update ${entry.number} of ${model} on the shelf`,
      ...{ rule, value, remedy: "stop this learner if another one has its place; else take the next number" },
    });
  const same = updates.filter(({ number }) => number === entry.number);
  const newest = newestOf(updates)?.number ?? 0;
  if (same.length === 0 && entry.number < newest) {
    throw refuse("numbers must go up", `${newest} is the newest`);
  }
  const other = same.find(({ digest }) => digest !== entry.digest);
  if (other !== undefined) throw refuse("a number must keep its weights", `those of digest ${other.digest}`);
  const found = same.find(({ kind }) => kind === entry.kind);
  if (found === undefined) return retained([...updates, entry]);
  if (found.content === entry.content) return updates;
  throw refuse("a number must keep its bytes", `those of digest ${found.content}`);
}

/** By ascending number, the partial one of a number last. */
function retained(updates: readonly ShelvedUpdate[]): readonly ShelvedUpdate[] {
  const sorted = [...updates].sort((a, b) => a.number - b.number || (a.kind < b.kind ? -1 : 1));
  const full = sorted.filter(({ kind }) => kind === "full").slice(-KEPT_FULL);
  const since = full.length < KEPT_FULL ? 0 : (full[0]?.number ?? 0);
  const partial = sorted.filter(({ kind, number }) => kind === "partial" && number > since).slice(-MAX_PARTIAL);
  return sorted.filter((each) => full.includes(each) || partial.includes(each));
}

/** Those of puts that were cut off too. One of a number that is kept may belong to a put that goes on. */
async function removeOld(model: string, blobs: Blobs, kept: readonly ShelvedUpdate[]): Promise<void> {
  const names = new Set(kept.map((entry) => blobName(model, entry)));
  const newest = newestOf(kept)?.number ?? 0;
  const oldestPartial = kept.find(({ kind }) => kind === "partial")?.number ?? newest;
  const newestFull = kept.findLast(({ kind }) => kind === "full")?.number ?? 0;
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

/** The update is on the shelf: what is left to do the next `put` does. */
async function whileReachable(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isKnowledgeNetError(error)) throw error;
  }
}
