/**
 * Names in a store, one rule for all adapters: the name of a key, blob or log is dot-separated tokens of
 * `[A-Za-z0-9_-]`, a bucket one such token. So a name is safe as a file name (no path leads out of the folder) and as a
 * part of a subject.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { LogOptions } from "./store.ts";

/** File systems take names of 255 bytes; a store adds to them. */
const MAX_NAME_LENGTH = 200;

/** Limit of a record and of a log's entry, bytes: half of a NATS server's default limit. Larger values are blobs. */
export const MAX_VALUE_BYTES = 512 * 1024;

const TOKEN = /^[A-Za-z0-9_-]+$/;

/** @throws KnowledgeNetError KN_CONFIG */
export function assertBucketName(bucket: string): void {
  if (bucket.length <= MAX_NAME_LENGTH && TOKEN.test(bucket)) return;
  throw malformed("open a bucket", "its name must consist of [A-Za-z0-9_-]", bucket);
}

/** @throws KnowledgeNetError KN_CONFIG */
export function assertName(bucket: string, name: string): void {
  if (name.length <= MAX_NAME_LENGTH && name.split(".").every((token) => TOKEN.test(token))) return;
  throw malformed(`use a name in ${bucket}`, "it must be dot-separated tokens of [A-Za-z0-9_-]", name);
}

/** @throws KnowledgeNetError KN_CONFIG */
export function assertFilter(bucket: string, filter: string): void {
  const tokens = filter.split(".");
  const isLegal = tokens.every(
    (token, i) => TOKEN.test(token) || token === "*" || (token === ">" && i === tokens.length - 1),
  );
  if (filter.length <= MAX_NAME_LENGTH && isLegal) return;
  throw malformed(
    `select names in ${bucket}`,
    "a filter must be tokens of [A-Za-z0-9_-] or `*`, with `>` only at the end",
    filter,
  );
}

/** @throws KnowledgeNetError KN_CONFIG */
export function assertPrefix(bucket: string, prefix: string): void {
  if (prefix.length <= MAX_NAME_LENGTH && /^([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]*$/.test(prefix)) return;
  throw malformed(`select names in ${bucket}`, "a prefix must be the beginning of a name", prefix);
}

/** @throws KnowledgeNetError KN_OVERLOADED */
export function assertValueSize(bucket: string, key: string, value: Uint8Array): void {
  if (value.byteLength <= MAX_VALUE_BYTES) return;
  throw new KnowledgeNetError("KN_OVERLOADED", {
    attempt: `set ${bucket}/${key}`,
    rule: `a record has at most ${MAX_VALUE_BYTES} bytes`,
    value: `${value.byteLength} bytes`,
    remedy: "keep it in a blob",
  });
}

/** The refusal of a compare-and-set. `found`: the key's revision; undefined when it has no value. */
export function fenced(bucket: string, key: string, rule: string, found: number | undefined): KnowledgeNetError {
  return new KnowledgeNetError("KN_FENCED", {
    attempt: `change ${bucket}/${key}`,
    rule,
    value: found === undefined ? "absent" : `revision ${found}`,
    remedy: "read it again, then decide again",
  });
}

export function otherTtl(bucket: string, has: number | undefined, wanted: number | undefined): KnowledgeNetError {
  const text = (ttlMs: number | undefined): string => (ttlMs === undefined ? "none" : `${ttlMs} ms`);
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `open bucket ${bucket} with a time to live of ${text(wanted)}`,
    rule: "a bucket keeps the one it was made with",
    value: text(has),
    remedy: "open it with that, or take another bucket",
  });
}

/** @throws KnowledgeNetError KN_CONFIG */
export function assertLogOptions(name: string, { maxEntries }: LogOptions): void {
  if (maxEntries === undefined || (Number.isSafeInteger(maxEntries) && maxEntries >= 1)) return;
  throw malformed(`open log ${name}`, "a log must keep a whole number of entries, 1 or more", String(maxEntries));
}

/**
 * Blobs and logs are written where they are: NATS has no address for those of another domain, and a plain one ends in each
 * domain that has a stream of that name.
 * @throws KnowledgeNetError KN_CONFIG
 */
export function assertOwnDomain(attempt: string, domain: string | undefined): void {
  if (domain === undefined) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt,
    rule: "blobs and logs are written on a server of their JetStream domain",
    value: `domain ${domain}, over a leaf-node link`,
    remedy: "connect to a server of that domain, without ?domain=",
  });
}

export function bucketRemoved(bucket: string, attempt: string, cause?: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt,
    rule: "the bucket must exist",
    value: `${bucket} was removed`,
    remedy: "open it again: that makes a new one",
    cause,
  });
}

/** @throws KnowledgeNetError KN_CONFIG: JetStream expires nothing sooner than that */
export function assertTtl(bucket: string, ttlMs: number | undefined): void {
  if (ttlMs === undefined || (Number.isInteger(ttlMs) && ttlMs >= 100)) return;
  throw malformed(`open bucket ${bucket}`, "a time to live must be whole ms, 100 or more", String(ttlMs));
}

export function storeClosed(description: string, attempt: string, cause?: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt,
    rule: `the store (${description}) must be open`,
    value: "closed",
    remedy: "open it again",
    cause,
  });
}

/** Stored data differs from what was written. */
export function damaged(bucket: string, name: string, rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `read ${bucket}/${name}`,
    rule,
    value,
    remedy: "use an older one, and delete this one",
  });
}

function malformed(attempt: string, rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt, rule, value: JSON.stringify(value.slice(0, 100)) });
}
