/** Compare-and-set of one key, for every record that several processes write. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { KeyValue, KvEntry } from "./store.ts";

/**
 * Writes what `next` makes of the present entry (undefined: the key has none), again with the new entry after a
 * concurrent write. `next` returns undefined to leave the key as it is; its error is passed on.
 */
export async function changeKey(
  kv: KeyValue,
  key: string,
  next: (found: KvEntry | undefined) => Uint8Array | undefined,
): Promise<void> {
  for (;;) {
    const found = await kv.get(key);
    const value = next(found);
    if (value === undefined) return;
    try {
      if (found === undefined) await kv.create(key, value);
      else await kv.update(key, value, found.revision);
      return;
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
    }
  }
}
