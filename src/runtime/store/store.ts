/**
 * The port for what must last: small records with compare-and-set and watch (specs, assignments, leases, manifests),
 * and blobs with a digest (checkpoints). `FileStore` and `JetStreamStore` pass one contract suite (test/contract/store).
 */

/** One revision of one key. `value` is owned by the caller. */
export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with every change of the bucket; never reused. Compare-and-set and fences rest on it. */
  readonly revision: number;
  /** When it was written, by the store's own clock, ms since 1970. */
  readonly writtenMs: number;
}

/** A change seen by `watch`. */
export type KvChange =
  | { readonly kind: "put"; readonly entry: KvEntry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: number };

export interface KvOptions {
  /** A value is gone this long after its last change, ms, 100 or more. Omitted: it stays. `watch` does not tell of it. */
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
}

/** Names are like keys. A blob is written whole or not at all; a reader never sees half of one. */
export interface Blobs {
  readonly bucket: string;
  /**
   * Takes the place of what has this name. `content` must not change before it resolves. Rejects with KN_CHECKPOINT when
   * there is no room, KN_UNAVAILABLE when it cannot be written: what was there before then stays.
   */
  put(name: string, content: Uint8Array): Promise<BlobInfo>;
  /** @returns content whose digest was verified; undefined when absent. Rejects with KN_CHECKPOINT when it is damaged. */
  get(name: string): Promise<Uint8Array | undefined>;
  info(name: string): Promise<BlobInfo | undefined>;
  /** Absent ones are no error. */
  delete(name: string): Promise<void>;
  /** Sorted by name. */
  list(): Promise<BlobInfo[]>;
}

export interface Store extends AsyncDisposable {
  readonly description: string;
  /**
   * Opens the bucket, made when absent; its name is one token of `[A-Za-z0-9_-]`. Rejects with KN_UNAVAILABLE or KN_CONFIG
   * (bad name, other TTL).
   */
  kv(bucket: string, options?: KvOptions): Promise<KeyValue>;
  blobs(bucket: string): Promise<Blobs>;
  close(): Promise<void>;
}
