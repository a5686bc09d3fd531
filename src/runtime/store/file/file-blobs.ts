/**
 * Blobs in a folder: one file per name: SHA-256 (32 bytes), revision (8 bytes, big-endian), content.
 *
 * A revision is the wall-clock time of the put in microseconds, and always more than the revision before it.
 */
import { createHash } from "node:crypto";
import { isKnowledgeNetError } from "../../../errors/index.ts";
import type { Clock } from "../../clock/index.ts";
import { sha256Beside } from "../../sha256.ts";
import { createKeyedQueue } from "../keyed-queue.ts";
import { assertName, assertPrefix, damaged } from "../keys.ts";
import type { BlobInfo, Blobs } from "../store.ts";
import type { DurableFiles } from "./durable-files.ts";

const DIGEST_BYTES = 32;
const HEAD_BYTES = DIGEST_BYTES + 8;

export interface FileBlobsDeps {
  readonly files: DurableFiles;
  readonly clock: Clock;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
}

export interface FileBlobs extends Blobs {
  /** Resolves when the changes that were begun are on the disk. */
  close(): Promise<void>;
}

export function fileBlobs(folder: string, bucket: string, { files, clock, assertOpen }: FileBlobsDeps): FileBlobs {
  const changes = createKeyedQueue();
  let lastRevision = 0;

  const check = (what: string, name: string): void => {
    assertOpen(`${what} ${bucket}/${name}`);
    assertName(bucket, name);
  };

  const infoOf = async (name: string): Promise<BlobInfo | undefined> => {
    const found = await files.readHead(folder, name, HEAD_BYTES);
    if (found === undefined) return undefined;
    if (found.sizeBytes < HEAD_BYTES) throw cutShort(bucket, name, found.sizeBytes);
    return { name, sizeBytes: found.sizeBytes - HEAD_BYTES, ...parseHead(found.head) };
  };

  const write = async (name: string, content: Uint8Array): Promise<BlobInfo> => {
    const replaced = (await infoOf(name).catch(onDamaged))?.revision ?? 0;
    lastRevision = Math.max(lastRevision + 1, replaced + 1, clock.wallTimeMs() * 1_000);
    const revision = lastRevision;
    const head = new Uint8Array(HEAD_BYTES);
    const digest = createHash("sha256").update(content).digest();
    head.set(digest);
    new DataView(head.buffer).setBigUint64(DIGEST_BYTES, BigInt(Math.trunc(revision)));
    await files.write(folder, name, [head, content]);
    return { name, sizeBytes: content.byteLength, digest: hex(digest), revision };
  };

  return {
    bucket,
    async put(name, content) {
      check("save", name);
      return changes.run(name, () => write(name, content));
    },
    async get(name) {
      check("read", name);
      const bytes = await files.read(folder, name);
      if (bytes === undefined) return undefined;
      if (bytes.byteLength < HEAD_BYTES) throw cutShort(bucket, name, bytes.byteLength);
      const content = new Uint8Array(bytes.buffer, bytes.byteOffset + HEAD_BYTES, bytes.byteLength - HEAD_BYTES);
      const { digest } = parseHead(bytes);
      const actual = await sha256Beside(content);
      if (actual !== digest) throw damaged(bucket, name, `its content must have the digest ${digest}`, actual);
      return content;
    },
    async info(name) {
      check("look at", name);
      return infoOf(name);
    },
    async delete(name, { revision } = {}) {
      check("delete", name);
      return changes.run(name, async () => {
        if (revision !== undefined) {
          const found = await infoOf(name);
          if (found !== undefined && found.revision !== revision) return false;
        }
        await files.remove(folder, name);
        return true;
      });
    },
    async list(prefix = "") {
      assertOpen(`list ${bucket}`);
      assertPrefix(bucket, prefix);
      // A damaged one has no digest to report, and must not hide the others; a read of it reports the damage.
      const names = (await files.list(folder)).filter((name) => name.startsWith(prefix));
      const found = await Promise.all(names.map((name) => infoOf(name).catch(onDamaged)));
      return found.filter((info) => info !== undefined); // absent: removed since it was listed
    },
    async sweep({ isDryRun = false } = {}) {
      assertOpen(`sweep ${bucket}`);
      return isDryRun ? files.leftovers(folder) : files.sweep(folder);
    },
    close: () => changes.idle(),
  };
}

function onDamaged(error: unknown): undefined {
  if (!isKnowledgeNetError(error, "KN_CHECKPOINT")) throw error;
}

function cutShort(bucket: string, name: string, sizeBytes: number): Error {
  return damaged(bucket, name, `its file must have at least ${HEAD_BYTES} bytes`, `${sizeBytes} bytes`);
}

function parseHead(head: Uint8Array): Pick<BlobInfo, "digest" | "revision"> {
  const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
  return { digest: hex(head.subarray(0, DIGEST_BYTES)), revision: Number(view.getBigUint64(DIGEST_BYTES)) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
