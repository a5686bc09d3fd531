/**
 * The port for durable data: small records with compare-and-set and watch (specs, assignments, leases, manifests), blobs
 * with a digest (checkpoints), and append-only logs (history). Each adapter passes one contract suite
 * (test/contract/store).
 */

/** One revision of one key. `value` is owned by the caller. */
export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with every change of the bucket; never reused. The base of compare-and-set and of fencing tokens. */
  readonly revision: number;
  /** When it was written, by the store's own clock, ms since 1970. */
  readonly writtenMs: number;
}

/** A change seen by `watch`. */
export type KvChange =
  | { readonly kind: "put"; readonly entry: KvEntry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

export interface KvOptions {
  /** A value expires this long after its last change, ms, 100 or more. `watch` reports no expiry. @default never */
  readonly ttlMs?: number;
}

/**
 * Keys are dot-separated tokens of `[A-Za-z0-9_-]`, as in subjects, of at most 200 characters; `*` and `>` in filters.
 * A malformed one rejects with KN_CONFIG, a value of more than 512 KiB with KN_OVERLOADED, anything after `close` with
 * KN_UNAVAILABLE. Values that are given are copied. After KN_UNAVAILABLE a change may or may not have been made.
 */
export interface KeyValue {
  readonly bucket: string;
  get(key: string): Promise<KvEntry | undefined>;
  /** Sets unconditionally. @returns the new revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Sets only when the key has no value. Rejects with KN_FENCED when it has. */
  create(key: string, value: Uint8Array): Promise<number>;
  /** Sets only when the key's last revision is `revision`. Rejects with KN_FENCED otherwise. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** Removes the value; with `revision`, only when it is the last one (KN_FENCED otherwise). An absent or expired key is no error. */
  delete(key: string, revision?: number): Promise<void>;
  /** Keys that have a value and match `filter`, sorted. @default filter ">" */
  keys(filter?: string): Promise<string[]>;
  /** The entries of these keys, without a read of each by the caller. @default filter ">" */
  entries(filter?: string): Promise<KvEntry[]>;
  /**
   * First the present value of each matching key, then every change in the order of revisions, until `signal` aborts, the
   * iterator returns or the store closes: then it is done, without an error. It begins when it is iterated, and a slow
   * reader may see only the last of several changes of one key.
   */
  watch(filter: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<KvChange>;
}

export interface BlobInfo {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of the content, lower-case hex. */
  readonly digest: string;
  /** Grows with every put of this name, also after a delete. For compare-and-delete. */
  readonly revision: number;
}

/** Names are like keys. A blob is written whole or not at all; a reader never sees half of one. */
export interface Blobs {
  readonly bucket: string;
  /**
   * Replaces the blob of this name. `content` must not change before it resolves. Rejects with KN_CHECKPOINT when there
   * is no room, KN_UNAVAILABLE when it cannot be written: the previous blob stays.
   */
  put(name: string, content: Uint8Array): Promise<BlobInfo>;
  /** @returns content whose digest was verified; undefined when absent. Rejects with KN_CHECKPOINT when it is damaged. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Size, digest and revision, without reading the content. */
  info(name: string): Promise<BlobInfo | undefined>;
  /**
   * Removes the blob and every trace of it; with `revision`, only while that is its revision.
   * @returns false when the name holds another revision, which stays. An absent blob is no error: true.
   */
  delete(name: string, options?: { readonly revision?: number }): Promise<boolean>;
  /**
   * Blobs whose name begins with `prefix`, sorted by name. The cost grows with the blobs that share the prefix's whole
   * tokens (`a.b.` of the prefix `a.b.c`), not with the bucket. @default prefix ""
   */
  list(prefix?: string): Promise<BlobInfo[]>;
  /**
   * Removes the content of puts that were cut off: no blob has it, and no put can still complete it. Where another process
   * may be writing it, that is decided by its age, an hour. Safe at any time.
   *
   * @param options.isDryRun removes nothing. @default false
   * @returns what was removed, or would be, by names of the adapter's own
   */
  sweep(options?: { readonly isDryRun?: boolean }): Promise<string[]>;
}

export interface LogEntry {
  /** Grows from entry to entry, with gaps; never reused. */
  readonly position: number;
  /** Owned by the caller. */
  readonly data: Uint8Array;
}

export interface LogOptions {
  /** Keeps at least this many of the newest entries, and at most twice as many. @default all */
  readonly maxEntries?: number;
}

/** An append-only history. An entry has at most 512 KiB (KN_OVERLOADED). One that was torn by a crash is not there. */
export interface Log {
  readonly name: string;
  /** Resolves once the entry is durable. @returns its position. After KN_UNAVAILABLE it may or may not be there. */
  append(data: Uint8Array): Promise<number>;
  /** The entries from position `from` on, up to the last one at the time of the call. @default from the first one */
  read(options?: { readonly from?: number }): AsyncIterable<LogEntry>;
  /** Deletes the entries below `position`, but never the newest one: positions go on from it. */
  removeBefore(position: number): Promise<void>;
}

export type BucketKind = "kv" | "blobs";

export interface BucketName {
  readonly kind: BucketKind;
  readonly name: string;
}

export interface Store extends AsyncDisposable {
  readonly description: string;
  /**
   * Opens the bucket, made when absent; its name is one token of `[A-Za-z0-9_-]`. Rejects with KN_UNAVAILABLE or KN_CONFIG
   * (bad name, other TTL).
   */
  kv(bucket: string, options?: KvOptions): Promise<KeyValue>;
  blobs(bucket: string): Promise<Blobs>;
  /** The log of this name, which is like a key. It takes room from the first entry on. */
  log(name: string, options?: LogOptions): Promise<Log>;
  /** Every bucket that exists, sorted by kind and name; also those that other programs made. */
  buckets(): Promise<BucketName[]>;
  /** Every log that has an entry and whose name begins with `prefix`, sorted. @default prefix "" */
  logs(prefix?: string): Promise<string[]>;
  /** Deletes the bucket with all that it holds. An absent one is no error; open handles of it reject with KN_UNAVAILABLE. */
  removeBucket(kind: BucketKind, name: string): Promise<void>;
  /** Deletes the log with all its entries. An absent one is no error; a later append begins a new one. */
  removeLog(name: string): Promise<void>;
  close(): Promise<void>;
}
