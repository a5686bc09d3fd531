/** The two records of a shelf: what is on it, and the small one that says what is newest. Pure. */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ModelUpdate, NumberedWeights } from "../../messages/index.ts";
import { type KvEntry, parseJson } from "../../runtime/store/index.ts";

/** Bucket of the records and of the blobs. */
export const UPDATES_BUCKET = "kn-updates";

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
/** How often the candidate was offered or withdrawn: of two records of the same updates the later one has more. */
const offers = z.int().min(0).default(0);
const shelfSchema = z.object({
  format: z.literal(1),
  updates: z.array(shelvedSchema),
  candidate: shelvedSchema.optional(),
  offers,
});
const headSchema = z.object({
  format: z.literal(1),
  /** Newest number and the digest of its tensors. */
  number: z.int().min(1),
  digest: z.string(),
  /** Number of the newest full update; 0: none. */
  full: z.int().min(0),
  candidate: shelvedSchema.optional(),
  offers,
});

/** What the shelf says of an update without giving it: unsigned, so only for deciding what to get. */
export type ShelvedUpdate = z.infer<typeof shelvedSchema>;

/** What is newest, and what is offered. It differs after each call that changes the shelf. */
export interface ShelfHead extends NumberedWeights {
  /** Number of the newest full update; 0: none. */
  readonly full: number;
  /** Made from the newest weights; not promoted. Absent: none is offered. */
  readonly candidate?: ShelvedUpdate;
}

export interface ShelfRecord {
  readonly updates: readonly ShelvedUpdate[];
  readonly candidate?: ShelvedUpdate | undefined;
  readonly offers: number;
}

export const NOTHING_SHELVED: ShelfRecord = { updates: [], offers: 0 };

interface HeadRecord extends ShelfHead {
  readonly offers: number;
}

/** Of the list, of what is newest, and of the request for a full update. */
export function shelfKeys(model: string): {
  readonly key: string;
  readonly headKey: string;
  readonly askedKey: string;
} {
  return { key: `${model}.shelf`, headKey: `${model}.newest`, askedKey: `${model}.asked` };
}

const encode = (record: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ format: 1, ...record }));

export const encodeShelf = (record: ShelfRecord): Uint8Array => encode(record);

/** @throws KnowledgeNetError KN_CHECKPOINT */
export function parseShelf(model: string, entry: KvEntry | undefined): ShelfRecord {
  if (entry === undefined) return NOTHING_SHELVED;
  const parsed = shelfSchema.safeParse(parseJson(entry.value));
  if (parsed.success) return parsed.data;
  throw otherVersion(model, entry);
}

/** @throws KnowledgeNetError KN_CHECKPOINT */
export function parseHead(model: string, entry: KvEntry | undefined): ShelfHead | undefined {
  const record = parseHeadRecord(model, entry);
  if (record === undefined) return undefined;
  const { offers: _offers, ...head } = record;
  return head;
}

function parseHeadRecord(model: string, entry: KvEntry | undefined): HeadRecord | undefined {
  if (entry === undefined) return undefined;
  const parsed = headSchema.safeParse(parseJson(entry.value));
  if (!parsed.success) throw otherVersion(model, entry);
  const { number, digest, full, candidate, offers: count } = parsed.data;
  return { number, digest, full, offers: count, ...(candidate === undefined ? {} : { candidate }) };
}

function otherVersion(model: string, { value }: KvEntry): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `read which updates of ${model} there are`,
    rule: "the record must be one of this version",
    value: new TextDecoder().decode(value.subarray(0, 100)),
    remedy: "use the version of knowledgenet that wrote it",
  });
}

/**
 * @param found the head as it is
 * @returns the head of `record`; undefined when it is written already, or that of a later record is
 * @throws KnowledgeNetError KN_CHECKPOINT
 */
export function headAfter(model: string, record: ShelfRecord, found: KvEntry | undefined): Uint8Array | undefined {
  const before = parseHeadRecord(model, found);
  const newest = newestOf(record);
  if (newest === undefined) return undefined;
  const full = record.updates.findLast(({ kind }) => kind === "full")?.number ?? 0;
  const { candidate, offers: count } = record;
  const head = { ...newest, full, offers: count, ...(candidate === undefined ? {} : { candidate }) };
  return before === undefined || isAfter(head, before) ? encode(head) : undefined;
}

/** None of these ever falls on a shelf. */
function isAfter(head: HeadRecord, before: HeadRecord): boolean {
  if (head.number !== before.number) return head.number > before.number;
  return head.full !== before.full ? head.full > before.full : head.offers > before.offers;
}

/** The head of a shelf that was cleared: its number is not used again. @throws KnowledgeNetError KN_CHECKPOINT */
export function clearedHead(model: string, found: KvEntry): Uint8Array | undefined {
  const before = parseHeadRecord(model, found);
  if (before === undefined || (before.full === 0 && before.candidate === undefined)) return undefined;
  const { number, digest, offers: count } = before;
  return encode({ number, digest, full: 0, offers: count + 1 });
}

export function newestOf({ updates }: Pick<ShelfRecord, "updates">): NumberedWeights | undefined {
  const last = updates.at(-1);
  return last === undefined ? undefined : { number: last.number, digest: last.digest };
}

/**
 * A candidate ends when its base is no longer the newest.
 * @returns `record` itself when the entry is among its updates
 * @throws KnowledgeNetError KN_FENCED
 */
export function withEntry(model: string, record: ShelfRecord, entry: ShelvedUpdate): ShelfRecord {
  const { updates } = record;
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    refused(`put the ${entry.kind} update ${entry.number} of ${model} on the shelf`, rule, value);
  const same = updates.filter(({ number }) => number === entry.number);
  const newest = newestOf(record)?.number ?? 0;
  if (same.length === 0 && entry.number < newest) {
    throw refuse("numbers must go up", `${newest} is the newest`);
  }
  const other = same.find(({ digest }) => digest !== entry.digest);
  if (other !== undefined) throw refuse("a number must keep its weights", `those of digest ${other.digest}`);
  const found = same.find(({ kind }) => kind === entry.kind);
  if (found === undefined) {
    const { candidate, ...rest } = record;
    const isKept = candidate !== undefined && entry.number <= newest;
    return { ...rest, updates: retained([...updates, entry]), ...(isKept ? { candidate } : {}) };
  }
  if (found.content === entry.content) return record;
  throw refuse("a number must keep its bytes", `those of digest ${found.content}`);
}

/** @returns `record` itself when it is the candidate already. @throws KnowledgeNetError KN_FENCED */
export function withOffer(
  model: string,
  record: ShelfRecord,
  { base }: Pick<ModelUpdate, "base">,
  entry: ShelvedUpdate,
): ShelfRecord {
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    refused(`offer the update ${entry.number} of ${model}`, rule, value);
  const newest = newestOf(record);
  if (base === undefined || base.number !== newest?.number || base.digest !== newest.digest) {
    throw refuse(
      "it must be made from the newest weights",
      `those of ${base?.number ?? 0}, not ${newest?.number ?? 0}`,
    );
  }
  if (entry.number <= newest.number) throw refuse("its number must go up", `${newest.number} is the newest`);
  const { candidate } = record;
  if (candidate?.number === entry.number && candidate.content === entry.content) return record;
  return { ...record, candidate: entry, offers: record.offers + 1 };
}

/** @returns `record` itself when it has no candidate of this number */
export function withoutOffer(record: ShelfRecord, number: number): ShelfRecord {
  const { candidate, ...rest } = record;
  return candidate?.number === number ? { ...rest, offers: record.offers + 1 } : record;
}

function refused(attempt: string, rule: string, value: string): KnowledgeNetError {
  const remedy = "stop this learner if another one has its place; else take the next number";
  return new KnowledgeNetError("KN_FENCED", { attempt, rule, value, remedy });
}

/** By ascending number, the partial one of a number last. */
function retained(updates: readonly ShelvedUpdate[]): readonly ShelvedUpdate[] {
  const sorted = [...updates].sort((a, b) => a.number - b.number || (a.kind < b.kind ? -1 : 1));
  const full = sorted.filter(({ kind }) => kind === "full").slice(-KEPT_FULL);
  const since = full.length < KEPT_FULL ? 0 : (full[0]?.number ?? 0);
  const partial = sorted.filter(({ kind, number }) => kind === "partial" && number > since).slice(-MAX_PARTIAL);
  return sorted.filter((each) => full.includes(each) || partial.includes(each));
}
