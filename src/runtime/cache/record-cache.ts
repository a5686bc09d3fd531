/**
 * The port for what is worth keeping but could be had again: records of one size, by number, on shelves. A record is there
 * or it is not; what comes back is what was put, bit for bit. Losing any of it costs time and nothing else.
 */

export interface ShelfOptions {
  /** What the records are of, wholly: who puts other content says another key. */
  readonly key: string;
  /** Size of each record, bytes. */
  readonly recordBytes: number;
}

export interface Shelf {
  /**
   * Looks `ids.length` records up and writes those that are there into `target`, record i at i * recordBytes.
   * @returns which of them are there. Never rejects: what cannot be read is not there.
   */
  read(ids: readonly number[], target: Uint8Array): Promise<boolean[]>;
  /**
   * Puts the records `wanted` of `source`, record i at i * recordBytes, under its id.
   * @returns how many were not kept, for want of room or because they cannot be written. Never rejects.
   */
  write(ids: readonly number[], source: Uint8Array, wanted: readonly boolean[]): Promise<number>;
}

export interface RecordCache extends AsyncDisposable {
  /** Opens the shelf of this key, made when absent. Rejects with KN_UNAVAILABLE when it cannot. */
  shelf(options: ShelfOptions): Promise<Shelf>;
  /** Bytes on disk now, of all shelves. */
  usedBytes(): Promise<number>;
  close(): Promise<void>;
}
