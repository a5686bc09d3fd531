/** One piece of a frame that is larger than the server's max_payload; see tensor.proto. */
import { type ChunkFields, wire } from "../generated/knowledgenet.ts";
import { readCount } from "../wire/fields.ts";
import { fieldSize, writePrefix } from "../wire/length-prefix.ts";
import { refusal } from "../wire/refusal.ts";

export interface Chunk {
  /** Names the whole and how it is cut, 16 bytes: equal in every transmission of one frame. */
  readonly transferId: Uint8Array;
  /** Position of this piece, 0 to count - 1. */
  readonly index: number;
  /** Pieces of the whole, 2 to `MAX_CHUNKS`. */
  readonly count: number;
  /** Size of the whole, bytes. */
  readonly totalBytes: number;
  /** SHA-256 of the whole, 32 bytes. */
  readonly digest: Uint8Array;
  /** This piece, 1 byte or more. */
  readonly payload: Uint8Array;
}

export const TRANSFER_ID_BYTES = 16;
export const DIGEST_BYTES = 32;
/** 64 MiB in pieces of 16 KiB; the bookkeeping of an assembler stays small beside a piece. */
export const MAX_CHUNKS = 4096;

// Field numbers in schemas/knowledgenet/v1; tests decode these bytes with the schemas.
const FRAME_CHUNK = 3;
const CHUNK_PAYLOAD = 6;

/** A Frame with `chunk`, owned by the caller. Laid out by hand, so that the payload is copied once. */
export function encodeChunk({ payload, ...chunk }: Chunk): Uint8Array {
  const rest = wire.Chunk.encode(chunk).finish();
  const chunkBytes = rest.byteLength + fieldSize(payload.byteLength);
  const frame = new Uint8Array(fieldSize(chunkBytes));
  const start = writePrefix(frame, 0, FRAME_CHUNK, chunkBytes);
  frame.set(rest, start);
  frame.set(payload, writePrefix(frame, start + rest.byteLength, CHUNK_PAYLOAD, payload.byteLength));
  return frame;
}

/** The arrays are views on the message. @throws KnowledgeNetError KN_DECODE. */
export function readChunk(attempt: string, fields: ChunkFields): Chunk {
  const transferId = readBytes(attempt, "transfer_id", fields.transferId, TRANSFER_ID_BYTES);
  const digest = readBytes(attempt, "digest", fields.digest, DIGEST_BYTES);
  const { payload } = fields;
  if (payload === null || payload === undefined || payload.byteLength === 0) {
    throw refusal(attempt, "a chunk must have a payload", "none");
  }
  const index = readCount(attempt, "index", fields.index);
  const count = readCount(attempt, "count", fields.count);
  const totalBytes = readCount(attempt, "total_bytes", fields.totalBytes);
  if (count < 2 || count > MAX_CHUNKS || index >= count) {
    throw refusal(attempt, `a chunk must be one of 2 to ${MAX_CHUNKS}`, `${index} of ${count}`);
  }
  // Every other piece has at least one byte as well.
  if (payload.byteLength + count - 1 > totalBytes) {
    throw refusal(attempt, "a chunk must be a part of its whole", `${payload.byteLength} bytes of ${totalBytes}`);
  }
  return { transferId, index, count, totalBytes, digest, payload };
}

function readBytes(attempt: string, name: string, value: Uint8Array | null | undefined, bytes: number): Uint8Array {
  if (value?.byteLength === bytes) return value;
  throw refusal(attempt, `${name} must have ${bytes} bytes`, value?.byteLength ?? 0);
}
