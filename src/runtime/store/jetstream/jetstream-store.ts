/**
 * The store of many processes: JetStream KV for records, a JetStream object store for blobs, over a connection of its own.
 *
 * JetStream acknowledges before it syncs its files (every two minutes by default): with one replica, what a power cut
 * takes may have been acknowledged. Give it three replicas, or `sync_interval: always`, where that must not be.
 */
import { type Clock, systemClock } from "../../clock/index.ts";
import {
  connectNats,
  DiscardPolicy,
  type JetStreamManager,
  type NatsDeps,
  type NatsOptions,
  StorageType,
  type StreamConfig,
} from "../../nats/index.ts";
import { assertBucketName, assertLogOptions, assertName, assertTtl, MAX_VALUE_BYTES } from "../keys.ts";
import { otherTtl, storeClosed } from "../keys.ts";
import type { Blobs, BucketName, KeyValue, Store } from "../store.ts";
import { jetStreamBlobs, streamOfBlobs } from "./jetstream-blobs.ts";
import { isStreamNotFound, noJetStream, orTranslate } from "./jetstream-errors.ts";
import { jetStreamKeyValue } from "./jetstream-key-value.ts";
import { jetStreamLog, LOG_STREAM, LOG_SUBJECTS, logNames, removeLog } from "./jetstream-log.ts";

export interface JetStreamStoreOptions extends NatsOptions {
  /** Servers that keep each bucket, for buckets made by this store. @default 1 */
  readonly replicas?: number;
}

/** KV and object stores are streams with these names. */
const BUCKET_STREAM = /^(KV|OBJ)_(.+)$/;

/** Rejects as `connectNats`, and with KN_UNAVAILABLE when the server has no JetStream. */
export async function connectJetStreamStore(options: JetStreamStoreOptions, deps: NatsDeps = {}): Promise<Store> {
  const { replicas = 1 } = options;
  const { clock = systemClock() }: { readonly clock?: Clock } = deps;
  const { connection, description: server } = await connectNats(options, deps);
  const description = `jetstream:${server}`;
  const jetstream = connection.jetstream();

  let manager: JetStreamManager;
  try {
    manager = await connection.jetstreamManager();
  } catch (error) {
    await connection.close();
    throw noJetStream(server, error);
  }

  const assertOpen = (attempt: string): void => {
    if (connection.isClosed() || connection.isDraining()) throw storeClosed(description, attempt);
  };

  /** Makes the stream when it is absent; one that exists keeps its settings. */
  const openStream = async (config: Partial<StreamConfig> & { readonly name: string }): Promise<void> => {
    try {
      await manager.streams.info(config.name);
    } catch (error) {
      if (!isStreamNotFound(error)) throw error;
      await manager.streams.add({
        storage: StorageType.File,
        num_replicas: replicas,
        // A full stream refuses what is new instead of losing what is old.
        discard: DiscardPolicy.New,
        ...config,
      });
    }
  };

  const openRecords = async (bucket: string, ttlMs: number | undefined): Promise<KeyValue> => {
    const kv = await jetstream.views.kv(bucket, {
      history: 1,
      storage: StorageType.File,
      replicas,
      maxValueSize: MAX_VALUE_BYTES + 1024, // headers count
      ...(ttlMs === undefined ? {} : { ttl: ttlMs }),
    });
    const { ttl } = await kv.status();
    const has = ttl === 0 ? undefined : ttl;
    if (has !== ttlMs) throw otherTtl(bucket, has, ttlMs);
    return jetStreamKeyValue(bucket, { kv, description, assertOpen });
  };

  const openBlobs = async (bucket: string): Promise<Blobs> => {
    const name = streamOfBlobs(bucket);
    await openStream({
      name,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      allow_rollup_hdrs: true,
      allow_direct: true,
    });
    return jetStreamBlobs(bucket, {
      connection,
      jetstream,
      manager,
      description,
      assertOpen,
      wallTimeMs: () => clock.wallTimeMs(),
    });
  };

  const opening = <T>(bucket: string, open: () => Promise<T>): Promise<T> => {
    const attempt = `open bucket ${bucket}`;
    return orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      assertBucketName(bucket);
      return open();
    });
  };
  const openLogs = (): Promise<void> => openStream({ name: LOG_STREAM, subjects: [LOG_SUBJECTS] });
  const managing = <T>(attempt: string, work: () => Promise<T>): Promise<T> =>
    orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      return work();
    });
  const close = async (): Promise<void> => {
    await connection.close();
  };

  return {
    description,
    kv: (bucket, { ttlMs } = {}) =>
      opening(bucket, async () => {
        assertTtl(bucket, ttlMs);
        return openRecords(bucket, ttlMs);
      }),
    blobs: (bucket) => opening(bucket, () => openBlobs(bucket)),
    log: (name, logOptions = {}) =>
      managing(`open log ${name}`, async () => {
        assertName("logs", name);
        assertLogOptions(name, logOptions);
        await openLogs();
        return jetStreamLog(name, logOptions, { jetstream, manager, description, assertOpen });
      }),
    buckets: () =>
      managing("list buckets", async () => {
        const found: BucketName[] = [];
        for await (const stream of manager.streams.names()) {
          const name = BUCKET_STREAM.exec(stream);
          if (name?.[2] !== undefined) found.push({ kind: name[1] === "KV" ? "kv" : "blobs", name: name[2] });
        }
        return found.sort((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1));
      }),
    logs: (prefix = "") =>
      managing("list logs", async () => {
        try {
          return await logNames(manager, prefix);
        } catch (error) {
          if (isStreamNotFound(error)) return [];
          throw error;
        }
      }),
    removeBucket: (kind, name) =>
      managing(`remove bucket ${name}`, async () => {
        assertBucketName(name);
        await unlessAbsent(manager.streams.delete(kind === "kv" ? `KV_${name}` : streamOfBlobs(name)));
      }),
    removeLog: (name) =>
      managing(`remove log ${name}`, async () => {
        assertName("logs", name);
        await unlessAbsent(removeLog(manager, name));
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function unlessAbsent(removing: Promise<unknown>): Promise<void> {
  try {
    await removing;
  } catch (error) {
    if (!isStreamNotFound(error)) throw error;
  }
}
