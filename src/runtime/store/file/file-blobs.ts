/** Blobs in a folder: one file per name, 32 bytes of SHA-256 and then the content. */
import { isKnowledgeNetError } from "../../../errors/index.ts";
import { createHash } from "node:crypto";
import { assertName, damaged } from "../keys.ts";
import type { BlobInfo, Blobs } from "../store.ts";
import type { DurableFiles } from "./durable-files.ts";

const DIGEST_BYTES = 32;

export interface FileBlobsDeps {
  readonly files: DurableFiles;
  /** Throws when the store is closed. */
  readonly assertOpen: (attempt: string) => void;
  /** Keeps the store open until `work` is done. */
  readonly track: <T>(work: Promise<T>) => Promise<T>;
}

export function fileBlobs(folder: string, bucket: string, { files, assertOpen, track }: FileBlobsDeps): Blobs {
  const check = (what: string, name: string): void => {
    assertOpen(`${what} ${bucket}/${name}`);
    assertName(bucket, name);
  };

  const infoOf = async (name: string): Promise<BlobInfo | undefined> => {
    const found = await files.readHead(folder, name, DIGEST_BYTES);
    if (found === undefined) return undefined;
    if (found.sizeBytes < DIGEST_BYTES) throw cutShort(bucket, name, found.sizeBytes);
    return { name, sizeBytes: found.sizeBytes - DIGEST_BYTES, digest: hex(found.head) };
  };

  return {
    bucket,
    async put(name, content) {
      check("save", name);
      const digest = createHash("sha256").update(content).digest();
      await track(files.write(folder, name, [digest, content]));
      return { name, sizeBytes: content.byteLength, digest: hex(digest) };
    },
    async get(name) {
      check("read", name);
      const bytes = await files.read(folder, name);
      if (bytes === undefined) return undefined;
      if (bytes.byteLength < DIGEST_BYTES) throw cutShort(bucket, name, bytes.byteLength);
      const content = new Uint8Array(bytes.buffer, bytes.byteOffset + DIGEST_BYTES, bytes.byteLength - DIGEST_BYTES);
      const stored = hex(bytes.subarray(0, DIGEST_BYTES));
      const actual = createHash("sha256").update(content).digest("hex");
      if (actual !== stored) throw damaged(bucket, name, `its content must have the digest ${stored}`, actual);
      return content;
    },
    async info(name) {
      check("look at", name);
      return infoOf(name);
    },
    async delete(name) {
      check("delete", name);
      await track(files.remove(folder, name));
    },
    async list() {
      assertOpen(`list ${bucket}`);
      // A damaged one has no digest to tell, and must not hide the others; reading it says what is wrong.
      const names = await files.list(folder);
      const found = await Promise.all(names.map((name) => infoOf(name).catch(onDamaged)));
      return found.filter((info) => info !== undefined); // or gone since it was listed
    },
  };
}

function onDamaged(error: unknown): undefined {
  if (!isKnowledgeNetError(error, "KN_CHECKPOINT")) throw error;
}

function cutShort(bucket: string, name: string, sizeBytes: number): Error {
  return damaged(bucket, name, `its file must have at least ${DIGEST_BYTES} bytes`, `${sizeBytes} bytes`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
