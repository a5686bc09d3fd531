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
} from "../../nats/index.ts";
import { assertBucketName, assertTtl, MAX_VALUE_BYTES, otherTtl, storeClosed } from "../keys.ts";
import type { Blobs, KeyValue, Store } from "../store.ts";
import { jetStreamBlobs, streamOfBlobs } from "./jetstream-blobs.ts";
import { isNotFound, noJetStream, orTranslate } from "./jetstream-errors.ts";
import { jetStreamKeyValue } from "./jetstream-key-value.ts";

export interface JetStreamStoreOptions extends NatsOptions {
  /** Servers that keep each bucket, for buckets made by this store. @default 1 */
  readonly replicas?: number;
}

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
    try {
      await manager.streams.info(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await manager.streams.add({
        name,
        subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
        storage: StorageType.File,
        num_replicas: replicas,
        // A full stream refuses what is new instead of losing what is old.
        discard: DiscardPolicy.New,
        allow_rollup_hdrs: true,
        allow_direct: true,
      });
    }
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
    close,
    [Symbol.asyncDispose]: close,
  };
}
