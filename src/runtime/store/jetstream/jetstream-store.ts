/**
 * The store of many processes: JetStream KV for records, a JetStream object store for blobs, over a connection of its own.
 *
 * JetStream acknowledges a change before it syncs its files (every two minutes by default): with one replica, a power cut
 * may lose acknowledged changes. Use three replicas, or `sync_interval: always`, to exclude that.
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
import { jetStreamKeyValue, streamOfRecords } from "./jetstream-key-value.ts";
import { jetStreamLog, LOG_STREAM, LOG_SUBJECTS, logNames, removeLog } from "./jetstream-log.ts";
import { throughElection } from "./leader-reads.ts";

export interface JetStreamStoreOptions extends NatsOptions {
  /** Servers that keep each bucket, for buckets made by this store. @default 1 */
  readonly replicas?: number;
  /**
   * JetStream domain of a server beyond a leaf-node link. Such a store changes records only: blobs and logs of another
   * domain are read. @default that of the server connected to
   */
  readonly domain?: string;
  /**
   * How long the marker of a deleted record stays for watchers that are cut off, ms, 1000 or more.
   * @default 3600000: longer than a link is usually down, and the markers of an hour are few
   */
  readonly deleteMarkerTtlMs?: number;
}

/** KV and object stores are streams with these names. */
const NANOSECONDS_PER_MS = 1_000_000;
/** Allows an expiry per message. nats.js 2.29 does not have the setting in its types. */
const EXPIRING_MARKERS = { allow_msg_ttl: true } as const;
const hasExpiringMarkers = (config: StreamConfig & { readonly allow_msg_ttl?: boolean }): boolean =>
  config.allow_msg_ttl === true;

const BUCKET_STREAM = /^(KV|OBJ)_(.+)$/;

/** Rejects as `connectNats`, and with KN_UNAVAILABLE when the server has no JetStream. */
export async function connectJetStreamStore(options: JetStreamStoreOptions, deps: NatsDeps = {}): Promise<Store> {
  const { replicas = 1, deleteMarkerTtlMs = 3_600_000, connectTimeoutMs = 10_000, domain } = options;
  const { clock = systemClock() }: { readonly clock?: Clock } = deps;
  const { connection, description: server } = await connectNats(options, deps);
  const description = domain === undefined ? `jetstream:${server}` : `jetstream:${server}?domain=${domain}`;
  // nats.js changes the options that it is given.
  const inDomain = () => (domain === undefined ? {} : { domain });
  const jetstream = connection.jetstream(inDomain());

  let manager: JetStreamManager;
  try {
    // A cluster that starts has no leader at first.
    manager = await throughElection(
      clock,
      () => connection.jetstreamManager(inDomain()),
      connectTimeoutMs,
      options.signal,
    );
  } catch (error) {
    await connection.close();
    throw options.signal?.aborted === true ? error : noJetStream(server, error);
  }

  const assertOpen = (attempt: string): void => {
    if (connection.isClosed() || connection.isDraining()) throw storeClosed(description, attempt);
  };

  /** Makes the stream when it is absent; one that exists keeps its settings. @returns them */
  const openStream = async (config: Partial<StreamConfig> & { readonly name: string }): Promise<StreamConfig> => {
    try {
      return (await manager.streams.info(config.name)).config;
    } catch (error) {
      if (!isStreamNotFound(error)) throw error;
      const made = await manager.streams.add({
        storage: StorageType.File,
        num_replicas: replicas,
        // A full stream refuses new messages instead of dropping old ones.
        discard: DiscardPolicy.New,
        ...config,
      });
      return made.config;
    }
  };

  const openRecords = async (bucket: string, ttlMs: number | undefined): Promise<KeyValue> => {
    const name = streamOfRecords(bucket);
    const found = await openStream({
      name,
      subjects: [`$KV.${bucket}.>`],
      max_msgs_per_subject: 1,
      max_msg_size: MAX_VALUE_BYTES + 1024, // headers count
      allow_rollup_hdrs: true,
      allow_direct: true,
      ...EXPIRING_MARKERS,
      ...(ttlMs === undefined ? {} : { max_age: ttlMs * NANOSECONDS_PER_MS }),
    });
    const has = found.max_age === 0 ? undefined : found.max_age / NANOSECONDS_PER_MS;
    if (has !== ttlMs) throw otherTtl(bucket, has, ttlMs);
    // Made by an older version, or by the `nats` command.
    if (!hasExpiringMarkers(found)) await manager.streams.update(name, { ...found, ...EXPIRING_MARKERS });
    const isMarkerShorter = ttlMs === undefined || ttlMs > deleteMarkerTtlMs;
    const markerTtlMs = isMarkerShorter ? deleteMarkerTtlMs : undefined;
    return jetStreamKeyValue({ bucket, markerTtlMs, domain }, { jetstream, manager, clock, description, assertOpen });
  };

  const openBlobs = async (bucket: string): Promise<Blobs> => {
    const name = streamOfBlobs(bucket);
    await openStream({
      name,
      subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
      allow_rollup_hdrs: true,
      allow_direct: true,
    });
    return jetStreamBlobs({ bucket, domain }, { connection, jetstream, manager, description, assertOpen, clock });
  };

  const opening = <T>(bucket: string, open: () => Promise<T>): Promise<T> => {
    const attempt = `open bucket ${bucket}`;
    return orTranslate(description, attempt, async () => {
      assertOpen(attempt);
      assertBucketName(bucket);
      // Safe to repeat: a stream that was made by a request without an answer is found by the next one.
      return throughElection(clock, open);
    });
  };
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
        return throughElection(clock, async () => {
          await openStream({ name: LOG_STREAM, subjects: [LOG_SUBJECTS] });
          return jetStreamLog({ ...logOptions, name, domain }, { jetstream, manager, clock, description, assertOpen });
        });
      }),
    buckets: () =>
      managing("list buckets", async () => {
        const names = await throughElection(clock, async () => {
          const found: string[] = [];
          for await (const stream of manager.streams.names()) found.push(stream);
          return found;
        });
        const found = names.flatMap((stream): BucketName[] => {
          const [, kind, name] = BUCKET_STREAM.exec(stream) ?? [];
          return name === undefined ? [] : [{ kind: kind === "KV" ? "kv" : "blobs", name }];
        });
        return found.sort((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1));
      }),
    logs: (prefix = "") =>
      managing("list logs", async () => {
        try {
          return await throughElection(clock, () => logNames(manager, prefix));
        } catch (error) {
          if (isStreamNotFound(error)) return [];
          throw error;
        }
      }),
    removeBucket: (kind, name) =>
      managing(`remove bucket ${name}`, async () => {
        assertBucketName(name);
        await unlessAbsent(manager.streams.delete(kind === "kv" ? streamOfRecords(name) : streamOfBlobs(name)));
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
