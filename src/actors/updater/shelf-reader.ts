/** What a site reads of a shelf: as little as it needs, since the link to it may be thin. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { ShelfHead, ShelvedUpdate, UpdateShelf } from "../../models/updates/index.ts";

export interface ShelfReader {
  /** The list, which is long: read again when what is newest has changed, and after `forget`. */
  list(shelf: UpdateShelf, newest: ShelfHead | undefined): Promise<readonly ShelvedUpdate[]>;
  /** Whether these bytes are still to be got. */
  isNew(update: ShelvedUpdate): boolean;
  /**
   * Each is got once, until `forget`. Undefined: it was, or it is not there. Rejects with KN_UNAVAILABLE.
   * @param onDamaged called instead of a rejection with KN_CHECKPOINT
   */
  get(shelf: UpdateShelf, update: ShelvedUpdate, onDamaged: (error: Error) => void): Promise<Uint8Array | undefined>;
  /** Bytes of the updates of these numbers, as they were got; numbers up to the last one are forgotten. */
  takeSizes(numbers: readonly number[]): number;
  /** Reads all of it again: another one of the same number may be there. */
  forget(): void;
}

export function createShelfReader(): ShelfReader {
  const got = new Set<string>();
  const sizes = new Map<number, number>();
  let listed: { readonly head: string; readonly list: readonly ShelvedUpdate[] } | undefined;
  return {
    async list(shelf, newest) {
      const head = JSON.stringify(newest ?? null);
      if (listed?.head !== head) {
        listed = { head, list: newest === undefined ? [] : await shelf.list() };
        const contents = new Set(listed.list.map(({ content }) => content));
        for (const content of got) if (!contents.has(content)) got.delete(content);
      }
      return listed.list;
    },
    isNew: ({ content }) => !got.has(content),
    async get(shelf, { number, kind, content }, onDamaged) {
      if (got.has(content)) return undefined;
      let bytes: Uint8Array | undefined;
      try {
        bytes = await shelf.get(number, kind);
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_CHECKPOINT")) throw error;
        onDamaged(error);
      }
      got.add(content);
      if (bytes !== undefined) sizes.set(number, bytes.length);
      return bytes;
    },
    takeSizes(numbers) {
      const sum = numbers.reduce((all, number) => all + (sizes.get(number) ?? 0), 0);
      for (const number of sizes.keys()) if (number <= (numbers.at(-1) ?? 0)) sizes.delete(number);
      return sum;
    },
    forget() {
      got.clear();
      listed = undefined;
    },
  };
}
