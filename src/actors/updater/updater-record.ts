/** The updater's record in the store of its site, changed by compare-and-set: of two updaters of one site one is refused. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ModelStore } from "../../models/index.ts";
import { encodeUpdaterRecord, NO_RECORD, parseUpdaterRecord, type UpdaterRecord } from "./updater-state.ts";

const BUCKET = "kn-updaters";

export interface StoredRecord {
  /** NO_RECORD before the first write. Rejects with KN_CHECKPOINT when it is of another version. */
  read(): Promise<UpdaterRecord>;
  /**
   * Replaces what `read` or `write` saw last. Rejects with KN_FENCED when another updater, or a write whose answer was
   * lost, has replaced it: read it again.
   */
  write(record: UpdaterRecord): Promise<void>;
}

export function storedRecord(models: ModelStore, model: string): StoredRecord {
  /** Revision that was seen last; undefined: nothing was read yet. */
  let seen: number | undefined;
  return {
    read: () =>
      models.read(async (store) => {
        const entry = await (await store.kv(BUCKET)).get(model);
        seen = entry?.revision ?? 0;
        return entry === undefined ? NO_RECORD : parseUpdaterRecord(model, entry.value);
      }),
    write: (record) =>
      models.use(async (store) => {
        const expected = seen;
        if (expected === undefined) throw unread(model);
        seen = undefined; // until it is known that it was written
        const records = await store.kv(BUCKET);
        const value = encodeUpdaterRecord(record);
        seen = expected === 0 ? await records.create(model, value) : await records.update(model, value, expected);
      }),
  };
}

/** Number of the newest update that the site of `models` has seen; 0: none. Rejects as `StoredRecord.read`. */
export async function newestOnSite(models: ModelStore, model: string): Promise<number> {
  return (await storedRecord(models, model).read()).newest;
}

function unread(model: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_FENCED", {
    attempt: `change the updater's record of ${model}`,
    rule: "it must be read after a write without an answer",
    remedy: "read it again",
  });
}
