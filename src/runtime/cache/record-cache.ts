/**
 * The port of a cache: records of one size, by number, in partitions. A record is present or absent; a present one equals
 * the one written, bit for bit. A lost record costs the time to compute it again and nothing else.
 */

export interface PartitionOptions {
  /** Everything that the content of the records depends on: other content has another key. */
  readonly key: string;
  /** Size of each record, bytes. */
  readonly recordBytes: number;
}

export interface CachePartition {
  /**
   * Looks `ids.length` records up and copies those that are present into `target`, record i at i * recordBytes.
   * @returns which of them are present. Never rejects: an unreadable record is absent.
   */
  read(ids: readonly number[], target: Uint8Array): Promise<boolean[]>;
  /**
   * Writes the records `wanted` of `source`, record i at i * recordBytes, under its id.
   * @returns how many were not kept, for lack of room or after a failed write. Never rejects.
   */
  write(ids: readonly number[], source: Uint8Array, wanted: readonly boolean[]): Promise<number>;
}

export interface RecordCache extends AsyncDisposable {
  /** Opens the partition of this key, an empty one when absent. Rejects with KN_UNAVAILABLE when it cannot. */
  partition(options: PartitionOptions): Promise<CachePartition>;
  /** Bytes on disk now, of all partitions. */
  usedBytes(): Promise<number>;
  close(): Promise<void>;
}
