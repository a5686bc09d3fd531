/** The store in a folder of `DurableFiles`: on a disk, or in memory. */
import { join } from "node:path";
import { z } from "zod";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Clock } from "../../clock/index.ts";
import { createKeyedQueue } from "../keyed-queue.ts";
import { assertBucketName, assertLogOptions, assertName, assertPrefix, assertTtl } from "../keys.ts";
import { bucketRemoved, otherTtl, storeClosed } from "../keys.ts";
import type { BucketKind, BucketName, Store } from "../store.ts";
import type { DurableFiles } from "./durable-files.ts";
import { type FileBlobs, fileBlobs } from "./file-blobs.ts";
import { type FileKeyValue, openFileKeyValue } from "./file-key-value.ts";
import { type FileLog, openFileLog } from "./file-log.ts";

export interface StoreOverFilesOptions {
  readonly directory: string;
  readonly description: string;
  /** Opening a bucket makes nothing. @default false */
  readonly isReadOnly?: boolean;
}

export interface StoreOverFilesDeps {
  readonly files: DurableFiles;
  /** For expiry and revisions. */
  readonly clock: Clock;
  /** Called once, when the last change is on the disk. */
  readonly onClose: () => Promise<void>;
}

/** A bucket or log that is open. Others wait for it while it is opened or removed. */
interface Opened {
  readonly close: () => Promise<void>;
  isRemoved: boolean;
}

const BUCKET_KINDS: readonly BucketKind[] = ["blobs", "kv"];
const BUCKET_FILE = ".bucket";
const LOGS = "logs";
const bucketSchema = z.object({ format: z.literal(1), ttlMs: z.int().optional() });

export async function storeOverFiles(options: StoreOverFilesOptions, deps: StoreOverFilesDeps): Promise<Store> {
  const { directory, description, isReadOnly = false } = options;
  const { files, clock, onClose } = deps;
  const logsFolder = join(directory, LOGS);
  for (const each of [...BUCKET_KINDS, LOGS]) await files.sweep(join(directory, each));
  const opened = new Map<string, Opened>();
  const changing = createKeyedQueue();
  let closing: Promise<void> | undefined;

  const assertOpen = (attempt: string): void => {
    if (closing !== undefined) throw storeClosed(description, attempt);
  };

  /** What is open as `key`, or what `open` makes. An open that failed is tried again by the next call. */
  const once = <T extends { close(): Promise<void> }>(
    key: string,
    open: (assertUsable: (attempt: string) => void) => Promise<T>,
  ): Promise<T> =>
    changing.run(key, async () => {
      const known = opened.get(key);
      if (known !== undefined) return known as Opened & T;
      const state = { isRemoved: false };
      const made = await open((attempt) => {
        assertOpen(attempt);
        if (state.isRemoved) throw bucketRemoved(key, attempt);
      });
      const entry: Opened & T = Object.assign(state, made);
      opened.set(key, entry);
      return entry;
    });

  const openFolder = async (...path: string[]): Promise<string> => {
    const folder = join(directory, ...path);
    await files.makeFolder(folder);
    await files.sweep(folder);
    return folder;
  };

  const openRecords = async (
    bucket: string,
    wanted: number | undefined,
    assertUsable: (attempt: string) => void,
  ): Promise<FileKeyValue & { readonly ttlMs: number | undefined }> => {
    const folder = await openFolder("kv", bucket);
    const known = await files.read(folder, BUCKET_FILE);
    if (known === undefined && !isReadOnly) {
      await files.write(folder, BUCKET_FILE, [new TextEncoder().encode(JSON.stringify({ format: 1, ttlMs: wanted }))]);
    }
    const ttlMs = known === undefined ? wanted : parseBucket(join(folder, BUCKET_FILE), known);
    const kv = await openFileKeyValue({ folder, bucket, ttlMs }, { files, clock, assertOpen: assertUsable });
    return { ...kv, ttlMs };
  };

  const closeAll = async (): Promise<void> => {
    await changing.idle();
    await Promise.all([...opened.values()].map((each) => each.close()));
    await onClose();
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
      const kv = await once(`kv/${bucket}`, (assertUsable) => openRecords(bucket, ttlMs, assertUsable));
      if (kv.ttlMs !== ttlMs) throw otherTtl(bucket, kv.ttlMs, ttlMs);
      return kv;
    },
    async blobs(bucket) {
      assertOpen(`open bucket ${bucket}`);
      assertBucketName(bucket);
      return once<FileBlobs>(`blobs/${bucket}`, async (assertUsable) =>
        fileBlobs(await openFolder("blobs", bucket), bucket, { files, clock, assertOpen: assertUsable }),
      );
    },
    async log(name, logOptions = {}) {
      assertOpen(`open log ${name}`);
      assertName(LOGS, name);
      assertLogOptions(name, logOptions);
      const { maxEntries } = logOptions;
      const log = await once<FileLog>(`${LOGS}/${name}`, async () => {
        await files.makeFolder(logsFolder);
        return openFileLog(logsFolder, name, { files, assertOpen });
      });
      return {
        name,
        append: (data) => log.append(data, maxEntries),
        read: log.read,
        removeBefore: (position) => log.removeBefore(position),
      };
    },
    async buckets() {
      assertOpen("list buckets");
      const found: BucketName[] = [];
      for (const kind of BUCKET_KINDS) {
        for (const name of await files.list(join(directory, kind))) found.push({ kind, name });
      }
      return found;
    },
    async logs(prefix = "") {
      assertOpen("list logs");
      assertPrefix(LOGS, prefix);
      return (await files.list(logsFolder)).filter((name) => name.startsWith(prefix));
    },
    async removeBucket(kind, name) {
      assertOpen(`remove bucket ${name}`);
      assertBucketName(name);
      const key = `${kind}/${name}`;
      await changing.run(key, async () => {
        const entry = opened.get(key);
        if (entry !== undefined) {
          entry.isRemoved = true;
          opened.delete(key);
          await entry.close();
        }
        await files.makeFolder(join(directory, kind));
        await files.removeFolder(join(directory, kind, name));
      });
    },
    async removeLog(name) {
      assertOpen(`remove log ${name}`);
      assertName(LOGS, name);
      const key = `${LOGS}/${name}`;
      await changing.run(key, async () => {
        const log = opened.get(key) as (Opened & FileLog) | undefined;
        if (log !== undefined) await log.remove();
        else if ((await files.list(logsFolder)).includes(name)) await files.remove(logsFolder, name);
      });
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
