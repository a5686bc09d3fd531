/**
 * A store of two: records in the shared one, blobs in a local folder and in the shared one. A blob counts as written when
 * either has it, so that a node whose link is down goes on saving, and is read from whichever has it whole.
 */
import { isKnowledgeNetError } from "../../../errors/index.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { BlobInfo, Blobs, Store } from "../store.ts";

export interface MirroredStoreDeps {
  readonly local: Store;
  readonly shared: Store;
  readonly log: Logger;
}

/** Closing it closes neither. */
export function mirroredStore({ local, shared, log }: MirroredStoreDeps): Store {
  return {
    description: `${local.description} + ${shared.description}`,
    kv: (bucket, options) => shared.kv(bucket, options),
    async blobs(bucket) {
      return mirroredBlobs(await local.blobs(bucket), await shared.blobs(bucket), log);
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function mirroredBlobs(local: Blobs, shared: Blobs, log: Logger): Blobs {
  const { bucket } = local;
  /** What the first gives, or the second where the first has nothing or fails. */
  const either = async <T>(ask: (blobs: Blobs) => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      const found = await ask(local);
      if (found !== undefined) return found;
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_CHECKPOINT", "KN_UNAVAILABLE")) throw error;
      log.warn({ bucket, err: error }, "local copy not usable; asking the shared store");
    }
    return ask(shared);
  };
  return {
    bucket,
    async put(name, content) {
      const [here, there] = await Promise.allSettled([local.put(name, content), shared.put(name, content)]);
      for (const each of [here, there]) {
        if (each.status === "rejected") log.warn({ bucket, name, err: each.reason as unknown }, "one copy not written");
      }
      if (here.status === "fulfilled") return here.value;
      if (there.status === "fulfilled") return there.value;
      throw here.reason;
    },
    get: (name) => either((blobs) => blobs.get(name)),
    info: (name) => either((blobs) => blobs.info(name)),
    async delete(name) {
      await Promise.all([local.delete(name), shared.delete(name)]);
    },
    async list() {
      const [here, there] = await Promise.all([local.list(), shared.list().catch((): BlobInfo[] => [])]);
      const byName = new Map([...there, ...here].map((info) => [info.name, info]));
      return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}
