/** The record that makes chunks an object of a NATS object store (ADR-20): JSON, with the digest in base64url. */
import { z } from "zod";
import { damaged } from "../keys.ts";
import { parseJson } from "../parse-json.ts";

const DIGEST_PREFIX = "SHA-256=";

const wireSchema = z.object({
  name: z.string(),
  bucket: z.string(),
  nuid: z.string(),
  size: z.int().min(0),
  chunks: z.int().min(0),
  digest: z.string().default(""),
  mtime: z.string().default(""),
  deleted: z.boolean().default(false),
});

export interface ObjectMeta {
  readonly name: string;
  readonly bucket: string;
  /** Token of the chunks' subject, new with every version of the object. */
  readonly nuid: string;
  /** Bytes. */
  readonly size: number;
  readonly chunks: number;
  /** SHA-256, lower-case hex; empty when deleted. */
  readonly digest: string;
  /** ISO 8601. */
  readonly mtime: string;
  readonly deleted: boolean;
}

export function encodeMeta(meta: ObjectMeta): Uint8Array {
  // With padding, as the other clients write and compare it.
  const digest = Buffer.from(meta.digest, "hex").toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return new TextEncoder().encode(
    JSON.stringify({ ...meta, digest: meta.digest === "" ? "" : `${DIGEST_PREFIX}${digest}` }),
  );
}

/** @throws KnowledgeNetError KN_CHECKPOINT when it is not such a record */
export function decodeMeta(bucket: string, name: string, bytes: Uint8Array): ObjectMeta {
  const parsed = wireSchema.safeParse(parseJson(bytes));
  if (!parsed.success)
    throw damaged(bucket, name, "its record must be that of an object store", z.prettifyError(parsed.error));
  const { digest } = parsed.data;
  const encoded = digest.startsWith(DIGEST_PREFIX) ? digest.slice(DIGEST_PREFIX.length) : "";
  return { ...parsed.data, digest: Buffer.from(encoded, "base64url").toString("hex") };
}
