/**
 * The store on a disk: one folder, one process at a time. What a call reported as done outlives a crash and a power cut;
 * what it reported as failed has changed nothing.
 *
 *     lock                     the process that has it open
 *     kv/<bucket>/<key>        a record; .bucket, .revision: facts of the bucket
 *     blobs/<bucket>/<name>    a blob
 *
 * On a file system that ignores case (macOS by default) names must not differ in case alone.
 */
import * as promises from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { type Clock, systemClock } from "../../clock/index.ts";
import { assertBucketName, assertTtl, otherTtl, storeClosed } from "../keys.ts";
import type { Blobs, Store } from "../store.ts";
import { createDurableFiles, type FileSystem } from "./durable-files.ts";
import { fileBlobs } from "./file-blobs.ts";
import { type FileKeyValue, openFileKeyValue } from "./file-key-value.ts";
import { lockFolder } from "./folder-lock.ts";

export interface FileStoreOptions {
  /** Made when it is absent. */
  readonly directory: string;
  /** For expiry. @default the real one */
  readonly clock?: Clock;
  /** @default `node:fs/promises` */
  readonly fileSystem?: FileSystem;
}

const BUCKET_FILE = ".bucket";
const bucketSchema = z.object({ format: z.literal(1), ttlMs: z.int().optional() });

/** Rejects with KN_UNAVAILABLE when the folder cannot be used, or another process uses it. */
export async function fileStore(options: FileStoreOptions): Promise<Store> {
  const { clock = systemClock(), fileSystem = promises } = options;
  const directory = resolve(options.directory);
  const description = `file:${directory}`;
  const files = createDurableFiles(fileSystem);
  await files.makeFolder(directory);
  const unlock = await lockFolder(fileSystem, directory);

  const records = new Map<string, Promise<FileKeyValue & { readonly ttlMs: number | undefined }>>();
  const blobs = new Map<string, Promise<Blobs>>();
  const working = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  const assertOpen = (attempt: string): void => {
    if (closing !== undefined) throw storeClosed(description, attempt);
  };
  const track = <T>(work: Promise<T>): Promise<T> => {
    const done = work.catch(() => undefined).finally(() => working.delete(done));
    working.add(done);
    return work;
  };

  const openFolder = async (...path: string[]): Promise<string> => {
    const folder = join(directory, ...path);
    await files.makeFolder(folder);
    await files.sweep(folder);
    return folder;
  };

  const openRecords = async (bucket: string, wanted: number | undefined) => {
    const folder = await openFolder("kv", bucket);
    const known = await files.read(folder, BUCKET_FILE);
    if (known === undefined) {
      await files.write(folder, BUCKET_FILE, [new TextEncoder().encode(JSON.stringify({ format: 1, ttlMs: wanted }))]);
    }
    const ttlMs = known === undefined ? wanted : parseBucket(join(folder, BUCKET_FILE), known);
    const opened = await openFileKeyValue({ folder, bucket, ttlMs }, { files, clock, assertOpen });
    return { ...opened, ttlMs };
  };

  /** What fails to open is tried anew by the next who asks. */
  const once = <T>(opened: Map<string, Promise<T>>, bucket: string, open: () => Promise<T>): Promise<T> => {
    const known = opened.get(bucket);
    if (known !== undefined) return known;
    const opening = track(open());
    opened.set(bucket, opening);
    opening.catch(() => opened.delete(bucket));
    return opening;
  };

  const closeAll = async (): Promise<void> => {
    await Promise.all(working);
    await Promise.all([...records.values()].map(async (opened) => (await opened).close()));
    await unlock();
  };
  const close = (): Promise<void> => {
    closing ??= closeAll();
    return closing;
  };

  return {
    description,
    async kv(bucket, { ttlMs } = {}) {
      assertOpen(`open bucket ${bucket}`);
      assertBucketName(bucket);
      assertTtl(bucket, ttlMs);
      const opened = await once(records, bucket, () => openRecords(bucket, ttlMs));
      if (opened.ttlMs !== ttlMs) throw otherTtl(bucket, opened.ttlMs, ttlMs);
      return opened;
    },
    async blobs(bucket) {
      assertOpen(`open bucket ${bucket}`);
      assertBucketName(bucket);
      return once(blobs, bucket, async () =>
        fileBlobs(await openFolder("blobs", bucket), bucket, { files, assertOpen, track }),
      );
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @returns the bucket's time to live */
function parseBucket(path: string, bytes: Uint8Array): number | undefined {
  try {
    return bucketSchema.parse(JSON.parse(new TextDecoder().decode(bytes))).ttlMs;
  } catch (cause) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `open ${path}`,
      rule: "it must be what this version of the program writes",
      remedy: "use the version that wrote it, or delete the bucket's folder",
      cause,
    });
  }
}
