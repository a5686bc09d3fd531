/**
 * Frames larger than the server's max_payload: cut into chunks by the sender, joined and verified by the receiver.
 * The bus may lose or repeat any of them; a whole either comes out as it went in or not at all.
 */
import { createHash, randomBytes } from "node:crypto";
import { type Chunk, encodeChunk, MAX_CHUNKS, TRANSFER_ID_BYTES } from "./chunk.ts";
import { refusal } from "../wire/refusal.ts";

/** What a chunk's own fields take at most: ids, digest, counts and the lengths around the payload. 90 bytes, rounded up. */
const CHUNK_OVERHEAD_BYTES = 128;

/** 64 MiB: an activation of [256, 64, 64, 16] in f32. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * @param maxPayloadBytes what the bus takes as one message.
 * @returns `[frame]` itself when it fits, else its pieces in order; each call names a new transfer.
 * @throws RangeError when `maxPayloadBytes` is too small for the frame to go in `MAX_CHUNKS` pieces.
 */
export function splitFrame(frame: Uint8Array, maxPayloadBytes: number): Uint8Array[] {
  if (frame.byteLength <= maxPayloadBytes) return [frame];
  const pieceBytes = maxPayloadBytes - CHUNK_OVERHEAD_BYTES;
  const count = Math.ceil(frame.byteLength / pieceBytes);
  if (pieceBytes < 1 || count > MAX_CHUNKS) {
    throw new RangeError(
      `Cannot split a frame of ${frame.byteLength} bytes as it must fit ${MAX_CHUNKS} messages of ${maxPayloadBytes} bytes`,
    );
  }
  const whole = {
    transferId: new Uint8Array(randomBytes(TRANSFER_ID_BYTES)),
    count,
    totalBytes: frame.byteLength,
    digest: new Uint8Array(createHash("sha256").update(frame).digest()),
  };
  return Array.from({ length: count }, (_, index) =>
    encodeChunk({ ...whole, index, payload: frame.subarray(index * pieceBytes, (index + 1) * pieceBytes) }),
  );
}

export interface ChunkAssemblerOptions {
  /** Wholes that may be unfinished at a time. @default 4 */
  readonly maxTransfers?: number;
  /** Bytes held for all unfinished wholes together, and so the largest whole. @default 64 MiB */
  readonly maxBytes?: number;
}

export interface ChunkAssembler {
  /** Wholes given up so far: pushed out by newer ones, or found damaged. */
  readonly dropped: number;
  /** Bytes held for unfinished wholes. */
  readonly heldBytes: number;
  /**
   * Takes a piece; keeps a copy of its payload. A repeated piece is ignored; one that comes after its whole is
   * complete counts as the first of a new one, so that a sender may send a whole again.
   * @returns the whole frame when this piece was the last one missing.
   * @throws KnowledgeNetError KN_DECODE when the piece contradicts the others of its whole, the whole exceeds
   * `maxBytes`, or its digest is not the one announced; that whole is then forgotten.
   */
  accept(chunk: Chunk): Uint8Array | undefined;
}

interface Transfer {
  readonly count: number;
  readonly totalBytes: number;
  readonly digest: string;
  readonly pieces: Map<number, Uint8Array>;
  heldBytes: number;
}

const ATTEMPT = "join a chunk to its frame";

export function createChunkAssembler(options: ChunkAssemblerOptions = {}): ChunkAssembler {
  const { maxTransfers = 4, maxBytes = DEFAULT_MAX_BYTES } = options;
  const transfers = new Map<string, Transfer>(); // oldest first
  let dropped = 0;
  let heldBytes = 0;

  const forget = (id: string): void => {
    heldBytes -= transfers.get(id)?.heldBytes ?? 0;
    transfers.delete(id);
  };
  const giveUp = (id: string): void => {
    forget(id);
    dropped += 1;
  };
  const makeRoom = (id: string, bytes: number): void => {
    for (const oldest of transfers.keys()) {
      if (heldBytes + bytes <= maxBytes && transfers.size <= maxTransfers) return;
      if (oldest !== id) giveUp(oldest);
    }
  };

  return {
    get dropped() {
      return dropped;
    },
    get heldBytes() {
      return heldBytes;
    },
    accept({ transferId, index, count, totalBytes, digest, payload }) {
      if (totalBytes > maxBytes) throw refusal(ATTEMPT, `a frame must have at most ${maxBytes} bytes`, totalBytes);
      const id = hex(transferId);
      const announced = hex(digest);
      const transfer = transfers.get(id) ?? { count, totalBytes, digest: announced, pieces: new Map(), heldBytes: 0 };
      if (transfer.count !== count || transfer.totalBytes !== totalBytes || transfer.digest !== announced) {
        giveUp(id);
        throw refusal(ATTEMPT, "all pieces must announce the same whole", id);
      }
      if (transfer.pieces.has(index)) return undefined;
      if (transfer.heldBytes + payload.byteLength > totalBytes) {
        if (transfers.has(id)) giveUp(id);
        throw refusal(ATTEMPT, "the pieces must not exceed their whole", `more than ${totalBytes} bytes`);
      }
      transfers.set(id, transfer);
      makeRoom(id, payload.byteLength);
      transfer.pieces.set(index, new Uint8Array(payload));
      transfer.heldBytes += payload.byteLength;
      heldBytes += payload.byteLength;
      if (transfer.pieces.size < count) return undefined;

      forget(id);
      const whole = join(transfer);
      if (transfer.heldBytes === totalBytes && createHash("sha256").update(whole).digest("hex") === announced)
        return whole;
      dropped += 1;
      throw refusal(
        ATTEMPT,
        "the whole must have the announced size and digest",
        `${transfer.heldBytes} of ${totalBytes} bytes`,
      );
    },
  };
}

function join({ pieces, count, heldBytes }: Transfer): Uint8Array {
  const whole = new Uint8Array(heldBytes);
  let position = 0;
  for (let index = 0; index < count; index += 1) {
    const piece = pieces.get(index);
    if (piece === undefined) continue;
    whole.set(piece, position);
    position += piece.byteLength;
  }
  return whole;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
