/**
 * Where models are: the store of a fleet, held open, or a folder of this machine, which is opened for each use and closed,
 * so that `kn promote` works beside `kn serve`. A port; both adapters pass test/contract/models.
 */
import { KnowledgeNetError } from "../errors/index.ts";
import { ARTIFACT_RECORDS, scopeOfModel } from "../runtime/artifacts/index.ts";
import type { Store } from "../runtime/store/index.ts";

export interface ModelStore extends AsyncDisposable {
  /** For a reader: "file:/srv/models". */
  readonly description: string;
  /** True once it is disposed. */
  readonly isClosed: boolean;
  /**
   * Lends the store; nothing of it may be used once `work` has settled. Rejects with KN_UNAVAILABLE when the store cannot
   * be opened, or another process keeps it for longer than some seconds.
   */
  use<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /**
   * The same for reading alone, beside processes that change it: each record and blob is as some change left it. A change
   * rejects with KN_UNAVAILABLE, where the store is not open anyway.
   */
  read<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /**
   * An item at once, and one after each change of the model's live record, by whatever process, within a quarter of a
   * second; several changes may give one item. Done after an abort and after the store is disposed. Rejects with
   * KN_UNAVAILABLE when the store is away.
   */
  changes(model: string, signal?: AbortSignal): AsyncIterable<void>;
}

/** Key of the live record of a model, in the bucket ARTIFACT_RECORDS. */
export function liveKey(model: string): string {
  return `${scopeOfModel(model)}.live`;
}

/** Models in a store that is open: of a fleet; in a test, in memory. Disposal leaves the store open. */
export function modelsInStore(store: Store): ModelStore {
  const closing = new AbortController();
  const lend = <T>(work: (store: Store) => Promise<T>): Promise<T> => {
    if (!closing.signal.aborted) return work(store);
    return Promise.reject(
      new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `use the models in ${store.description}`,
        rule: "they must not be closed",
      }),
    );
  };
  return {
    description: store.description,
    get isClosed() {
      return closing.signal.aborted;
    },
    use: lend,
    read: lend,
    async *changes(model, signal) {
      const ended = AbortSignal.any([closing.signal, ...(signal === undefined ? [] : [signal])]);
      yield;
      const records = await store.kv(ARTIFACT_RECORDS);
      for await (const _change of records.watch(liveKey(model), { signal: ended })) yield;
    },
    [Symbol.asyncDispose]() {
      closing.abort();
      return Promise.resolve();
    },
  };
}
