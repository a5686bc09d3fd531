/** A device's request for a full update; every field as FullUpdateRequest in update.proto. */
import { type FullUpdateRequestFields, wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readToken } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { bytesOfDigest, hexOfDigest } from "./digest.ts";
import type { NumberedWeights } from "./model-update.ts";

export interface FullUpdateRequest {
  readonly model: string;
  /** What the device serves. Absent: nothing. */
  readonly held?: NumberedWeights;
  /** Newest number that it has seen; 0: none. The answer is not older. */
  readonly newest: number;
}

const ATTEMPT = "decode a request for a full update";
/** A name, two numbers and a digest have 130 bytes; the rest is room for fields that later versions add. */
const MAX_BYTES = 1024;

export function encodeFullUpdateRequest({ model, held, newest }: FullUpdateRequest): Uint8Array {
  return wire.FullUpdateRequest.encode({
    model,
    newest: writeCount("newest", newest),
    ...(held === undefined ? {} : { number: writeCount("number", held.number), digest: bytesOfDigest(held.digest) }),
  }).finish();
}

/** @throws KnowledgeNetError KN_DECODE */
export function decodeFullUpdateRequest(data: Uint8Array): FullUpdateRequest {
  return decodeWire(wire.FullUpdateRequest, data, { attempt: ATTEMPT, maxBytes: MAX_BYTES }, readRequest);
}

function readRequest(fields: FullUpdateRequestFields): FullUpdateRequest {
  const number = readCount(ATTEMPT, "number", fields.number);
  const newest = readCount(ATTEMPT, "newest", fields.newest);
  if (newest < number) throw refusal(ATTEMPT, `newest must be at least number, ${number}`, newest);
  const model = readToken(ATTEMPT, "model", fields.model);
  if (number === 0) return { model, newest };
  return { model, newest, held: { number, digest: hexOfDigest(ATTEMPT, "digest", fields.digest) } };
}
