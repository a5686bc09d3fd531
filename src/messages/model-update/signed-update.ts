/** What travels: an update's bytes with their digest and signature; every field as SignedUpdate in update.proto. */
import { createHash } from "node:crypto";
import { type SignedUpdateFields, wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { refusal } from "../wire/refusal.ts";

export interface SignedUpdate {
  /** A ModelUpdate, encoded; what the signature covers, as it is. */
  readonly update: Uint8Array;
  /** Absent: unsigned. */
  readonly signature?: {
    /** Ed25519, SPKI in DER. */
    readonly key: Uint8Array;
    readonly signature: Uint8Array;
  };
}

/** Bytes around an update: digest, key, signature and their tags. */
export const SIGNED_OVERHEAD_BYTES = 256;

const ATTEMPT = "decode a signed model update";
const NO_BYTES = new Uint8Array(0);

const digestOf = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

export function encodeSignedUpdate({ update, signature }: SignedUpdate): Uint8Array {
  return wire.SignedUpdate.encode({ update, digest: digestOf(update), ...signature }).finish();
}

/**
 * The update is a view on `data`, neither decoded nor its signature verified.
 * @throws KnowledgeNetError KN_DECODE on malformed or damaged input
 */
export function decodeSignedUpdate(data: Uint8Array, limits: { readonly maxBytes: number }): SignedUpdate {
  return decodeWire(wire.SignedUpdate, data, { attempt: ATTEMPT, maxBytes: limits.maxBytes }, readSigned);
}

function readSigned(fields: SignedUpdateFields): SignedUpdate {
  const { update, digest, key, signature } = {
    ...{ update: fields.update ?? NO_BYTES, digest: fields.digest ?? NO_BYTES },
    ...{ key: fields.key ?? NO_BYTES, signature: fields.signature ?? NO_BYTES },
  };
  if (Buffer.compare(digestOf(update), digest) !== 0) {
    throw refusal(ATTEMPT, "digest must be the SHA-256 of update", Buffer.from(digest).toString("hex"));
  }
  if (key.length === 0 && signature.length === 0) return { update };
  if (key.length === 0 || key.length > 128 || signature.length !== 64) {
    throw refusal(ATTEMPT, "key and signature must be those of Ed25519", `${key.length} and ${signature.length} bytes`);
  }
  return { update, signature: { key, signature } };
}
