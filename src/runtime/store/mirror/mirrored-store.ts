/**
 * A store of two: records and logs in the shared one, blobs in a local folder and in the shared one. A blob counts as
 * written when either has it, so that a node goes on saving while its link is down, and is read from the one that has it
 * whole. A shared copy that could not be written is caught up after the next change that reaches the shared store, unless
 * another node has written the name meanwhile. One that could not be deleted is reported and left to collection: by then
 * it may be what another node has written.
 *
 * The revision of a blob is that of its shared copy; the local one's where there is no shared copy.
 */
import { isKnowledgeNetError } from "../../../errors/index.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { createKeyedQueue } from "../keyed-queue.ts";
import type { BlobInfo, Blobs, BucketName, Store } from "../store.ts";

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
    log: (name, options) => shared.log(name, options),
    async buckets() {
      const here = (await local.buckets()).filter(({ kind }) => kind === "blobs");
      const there = await shared.buckets();
      const byKey = new Map([...here, ...there].map((bucket) => [keyOf(bucket), bucket]));
      return [...byKey.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    },
    logs: (prefix) => shared.logs(prefix),
    async removeBucket(kind, name) {
      if (kind === "blobs") await local.removeBucket(kind, name);
      await shared.removeBucket(kind, name);
    },
    removeLog: (name) => shared.removeLog(name),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function mirroredBlobs(local: Blobs, shared: Blobs, log: Logger): Blobs {
  const { bucket } = local;
  const changes = createKeyedQueue();
  /** Names that have no shared copy yet, because the shared store could not be reached. */
  const behind = new Set<string>();

  const catchUp = async (name: string): Promise<void> => {
    const content = await local.get(name);
    const there = await shared.info(name);
    if (content !== undefined && there === undefined) await shared.put(name, content);
    behind.delete(name);
    log.info({ bucket, name, isOvertaken: there !== undefined }, "shared copy caught up");
  };
  const catchUpAll = (): void => {
    for (const name of behind) {
      changes
        .run(name, async () => {
          if (behind.has(name)) await catchUp(name);
        })
        .catch((error: unknown) => {
          log.warn({ bucket, name, err: error }, "shared copy still behind");
        });
    }
  };
  const put = async (name: string, content: Uint8Array): Promise<BlobInfo> => {
    const [here, there] = await Promise.allSettled([local.put(name, content), shared.put(name, content)]);
    if (here.status === "rejected") {
      log.warn({ bucket, name, err: here.reason as unknown }, "local copy not written");
      if (there.status === "rejected") throw here.reason;
      // An older local copy would be read before the shared one.
      await local.delete(name).catch(() => undefined);
    }
    if (there.status === "rejected") {
      log.warn({ bucket, name, err: there.reason as unknown }, "shared copy not written; it is caught up later");
      if (here.status === "fulfilled") behind.add(name);
    } else behind.delete(name);
    return there.status === "fulfilled" ? there.value : (here as PromiseFulfilledResult<BlobInfo>).value;
  };

  /** Where a revision is given, the shared store decides: without it nothing is deleted. */
  const removeRevision = async (name: string, revision: number): Promise<boolean> => {
    const there = await shared.info(name);
    if (there === undefined) return local.delete(name, { revision });
    if (!(await shared.delete(name, { revision }))) return false;
    return local.delete(name);
  };

  const remove = async (name: string): Promise<boolean> => {
    const [here, there] = await Promise.allSettled([local.delete(name), shared.delete(name)]);
    if (here.status === "rejected") throw here.reason;
    behind.delete(name);
    if (there.status === "rejected")
      log.warn({ bucket, name, err: there.reason as unknown }, "shared copy not deleted");
    return true;
  };

  const changing = async <T>(name: string, change: () => Promise<T>): Promise<T> => {
    const result = await changes.run(name, change);
    if (!behind.has(name)) catchUpAll();
    return result;
  };

  return {
    bucket,
    put: (name, content) => changing(name, () => put(name, content)),
    async get(name) {
      try {
        const found = await local.get(name);
        if (found !== undefined) return found;
      } catch (error) {
        if (!isUsableElsewhere(error)) throw error;
        log.warn({ bucket, name, err: error }, "local copy not usable; reading the shared one");
      }
      return shared.get(name);
    },
    async info(name) {
      try {
        const found = await shared.info(name);
        if (found !== undefined) return found;
      } catch (error) {
        if (!isUsableElsewhere(error)) throw error;
        log.warn({ bucket, name, err: error }, "shared copy not usable; reading the local one");
      }
      return local.info(name);
    },
    delete: (name, { revision } = {}) =>
      changing(name, () => (revision === undefined ? remove(name) : removeRevision(name, revision))),
    async list(prefix) {
      const [here, there] = await Promise.all([
        local.list(prefix),
        shared.list(prefix).catch((error: unknown): BlobInfo[] => {
          if (!isUsableElsewhere(error)) throw error;
          return [];
        }),
      ]);
      const byName = new Map([...here, ...there].map((info) => [info.name, info]));
      return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    sweep: async (options) => [...(await local.sweep(options)), ...(await shared.sweep(options))],
  };
}

/** True when the other copy may be read instead. */
function isUsableElsewhere(error: unknown): boolean {
  return isKnowledgeNetError(error, "KN_CHECKPOINT", "KN_UNAVAILABLE");
}

function keyOf({ kind, name }: BucketName): string {
  return `${kind}/${name}`;
}
