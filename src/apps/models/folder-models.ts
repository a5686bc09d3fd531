/**
 * Models in a folder of this machine. A store on a disk is changed by one process at a time, so each use opens it, works
 * and closes it; one that finds it open in another process waits. Readers wait for nobody. Changes of other processes are
 * seen in the file of the live record, which each change replaces: that needs no lock, and works on every file system.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import { liveKey, type ModelStore } from "../../models/index.ts";
import { ARTIFACT_RECORDS } from "../../runtime/artifacts/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { fileOfRecord, fileStore, isFolderInUse, readFileStore, type Store } from "../../runtime/store/index.ts";

/** Folder of the models unless `--models` names another one. */
export const DEFAULT_MODELS_FOLDER = "models";

/** Wait for another process that has the folder open, ms: several times the longest use, a verified promotion. */
const OPEN_MS = 10_000;
/** Between two attempts to open it, ms: an attempt writes a file. */
const RETRY_MS = 20;
/** Between two looks at the live record, ms: a change is seen within a quarter of a second. */
const LOOK_MS = 100;

export interface FolderModelsOptions {
  /** Made by the first use. */
  readonly directory: string;
}

export function folderModels(options: FolderModelsOptions, { clock }: { readonly clock: Clock }): ModelStore {
  const directory = resolve(options.directory);
  const description = `file:${directory}`;
  const closing = new AbortController();
  /** Uses of this process, one after another. */
  let tail: Promise<unknown> = Promise.resolve();
  const reading = new Set<Promise<unknown>>();

  const lendForReading = async <T>(work: (store: Store) => Promise<T>): Promise<T> => {
    if (closing.signal.aborted) throw closed(description);
    await using store = await readFileStore({ directory, clock });
    return await work(store);
  };

  const open = async (): Promise<Store> => {
    const deadlineMs = clock.now() + OPEN_MS;
    for (;;) {
      if (closing.signal.aborted) throw closed(description);
      try {
        return await fileStore({ directory, clock });
      } catch (error) {
        if (!isFolderInUse(error) || clock.now() >= deadlineMs) throw error;
      }
      await clock.sleep(RETRY_MS);
    }
  };

  return {
    description,
    get isClosed() {
      return closing.signal.aborted;
    },
    use(work) {
      const done = tail.then(async () => {
        await using store = await open();
        return await work(store);
      });
      tail = done.catch(() => undefined);
      return done;
    },
    read(work) {
      const done = lendForReading(work);
      reading.add(done);
      return done.finally(() => reading.delete(done));
    },
    async *changes(model, signal) {
      const ended = AbortSignal.any([closing.signal, ...(signal === undefined ? [] : [signal])]);
      const path = fileOfRecord(directory, ARTIFACT_RECORDS, liveKey(model));
      let seen = await versionOf(path);
      yield;
      while (!ended.aborted) {
        await clock.sleep(LOOK_MS, ended).catch(() => undefined);
        const version = await versionOf(path);
        if (version === seen || ended.aborted) continue;
        seen = version;
        yield;
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.allSettled([tail, ...reading]);
    },
  };
}

/** Differs from one content of the file to the next: each is a new file. Undefined: there is none. */
async function versionOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.ino} ${found.mtimeNs} ${found.size}`;
}

function closed(description: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `use the models in ${description}`,
    rule: "they must not be closed",
  });
}
