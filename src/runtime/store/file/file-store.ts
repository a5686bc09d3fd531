/** The store on a disk: one folder, one process at a time. */
import { createHash } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Clock } from "../../clock/index.ts";
import { assertName } from "../keys.ts";
import type { BlobInfo, Blobs, KeyValue, Store } from "../store.ts";
import { readIfPresent, removeDurably, translate, writeDurably } from "./durable-file.ts";
import { openFileKeyValue } from "./file-key-value.ts";
import { lockFile } from "./file-lock.ts";

export interface FileStoreOptions {
  /** Made when it is absent. */
  readonly directory: string;
  readonly clock: Clock;
}

/** Bytes of the digest before a blob's content: SHA-256. */
const DIGEST_BYTES = 32;

/** Rejects with KN_UNAVAILABLE when the folder cannot be used, or is in use by another process. */
export async function fileStore({ directory, clock }: FileStoreOptions): Promise<Store> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw translate(error, `open the store ${directory}`);
  }
  const unlock = await lockFile(join(directory, "lock"));
  const buckets = new Map<string, { readonly ttlMs: number | undefined; readonly kv: Promise<KeyValue> }>();
  const close = async (): Promise<void> => {
    await unlock();
  };
  return {
    description: `file:${directory}`,
    async kv(bucket, options = {}) {
      assertName("a bucket", bucket);
      const known = buckets.get(bucket);
      if (known !== undefined && known.ttlMs !== options.ttlMs) {
        throw new KnowledgeNetError("KN_CONFIG", {
          attempt: `open bucket ${bucket}`,
          rule: `its ttlMs must be what it was opened with, ${known.ttlMs}`,
          value: String(options.ttlMs),
        });
      }
      const opened = known?.kv ?? openFileKeyValue(join(directory, "kv", bucket), bucket, options, clock);
      buckets.set(bucket, { ttlMs: options.ttlMs, kv: opened });
      return opened;
    },
    async blobs(bucket) {
      assertName("a bucket", bucket);
      const folder = join(directory, "blobs", bucket);
      await mkdir(folder, { recursive: true }).catch((error: unknown) => {
        throw translate(error, `open bucket ${bucket}`);
      });
      return fileBlobs(folder, bucket);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function fileBlobs(folder: string, bucket: string): Blobs {
  const pathOf = (name: string): string => {
    assertName("a blob", name);
    return join(folder, name);
  };
  const read = async (name: string): Promise<{ readonly digest: Uint8Array; readonly content: Uint8Array } | undefined> => {
    const bytes = await readIfPresent(pathOf(name));
    return bytes === undefined ? undefined : { digest: bytes.subarray(0, DIGEST_BYTES), content: bytes.subarray(DIGEST_BYTES) };
  };
  const info = async (name: string): Promise<BlobInfo | undefined> => {
    const stored = await read(name);
    return stored === undefined ? undefined : { name, sizeBytes: stored.content.byteLength, digest: hex(stored.digest) };
  };
  return {
    bucket,
    async put(name, content) {
      const digest = createHash("sha256").update(content).digest();
      await writeDurably(pathOf(name), [digest, content]);
      return { name, sizeBytes: content.byteLength, digest: hex(digest) };
    },
    async get(name) {
      const stored = await read(name);
      if (stored === undefined) return undefined;
      const digest = createHash("sha256").update(stored.content).digest();
      if (digest.equals(stored.digest)) return stored.content.slice();
      throw new KnowledgeNetError("KN_CHECKPOINT", {
        attempt: `read blob ${bucket}/${name}`,
        rule: `its content must have the digest ${hex(stored.digest)}`,
        value: hex(digest),
        remedy: "use an older one",
      });
    },
    info,
    async delete(name) {
      await removeDurably(pathOf(name));
    },
    async list() {
      const names = (await readdir(folder)).filter((name) => !name.endsWith(".partial")).sort();
      const found = await Promise.all(names.map(info));
      return found.filter((each) => each !== undefined);
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
