/**
 * Frames larger than the server's max_payload: cut into chunks by the sender, joined and verified by the receiver. The
 * bus may lose, duplicate or reorder any of them; a frame is joined exactly as it was cut, or not at all. Transmissions
 * of one frame share their transfer id, so a retransmission completes what an earlier transmission left incomplete.
 */
import { createHash } from "node:crypto";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Chunk, encodeChunk, MAX_CHUNKS, TRANSFER_ID_BYTES } from "./chunk.ts";
import { DEFAULT_MAX_FRAME_BYTES } from "./frame-size.ts";
import { refusal } from "../wire/refusal.ts";

/** Bytes of a chunk besides its payload: ids, digest, counts and lengths. At most 90, rounded up. */
const CHUNK_OVERHEAD_BYTES = 128;

/** Largest frame that can be sent in messages of `maxPayloadBytes`, bytes; 0 or less: none. */
export function largestFrameBytes(maxPayloadBytes: number): number {
  const pieces = MAX_CHUNKS * (maxPayloadBytes - CHUNK_OVERHEAD_BYTES);
  return Math.max(maxPayloadBytes, pieces);
}

/**
 * @param maxPayloadBytes largest message of the bus.
 * @returns `[frame]` itself when it fits, else its pieces in order.
 * @throws KnowledgeNetError KN_CONFIG when the frame does not fit in `MAX_CHUNKS` messages.
 */
export function splitFrame(frame: Uint8Array, maxPayloadBytes: number): Uint8Array[] {
  if (frame.byteLength <= maxPayloadBytes) return [frame];
  if (frame.byteLength > largestFrameBytes(maxPayloadBytes)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "split a frame",
      rule: `it must fit in ${MAX_CHUNKS} messages of at most ${maxPayloadBytes} bytes`,
      value: `${frame.byteLength} bytes`,
      remedy: "raise `max_payload` in the server's configuration, or lower the batch size",
    });
  }
  const pieceBytes = maxPayloadBytes - CHUNK_OVERHEAD_BYTES;
  const digest = new Uint8Array(createHash("sha256").update(frame).digest());
  const whole = {
    transferId: transferIdOf(digest, pieceBytes),
    count: Math.ceil(frame.byteLength / pieceBytes),
    totalBytes: frame.byteLength,
    digest,
  };
  return Array.from({ length: whole.count }, (_, index) =>
    encodeChunk({ ...whole, index, payload: frame.subarray(index * pieceBytes, (index + 1) * pieceBytes) }),
  );
}

/** The same frame cut in the same way has the same id. */
function transferIdOf(digest: Uint8Array, pieceBytes: number): Uint8Array {
  const id = new Uint8Array(TRANSFER_ID_BYTES);
  id.set(digest.subarray(0, TRANSFER_ID_BYTES - 4));
  new DataView(id.buffer).setUint32(TRANSFER_ID_BYTES - 4, pieceBytes);
  return id;
}

export interface ChunkAssemblerOptions {
  /** Frames that may be incomplete at a time. @default 4 */
  readonly maxTransfers?: number;
  /** Bytes held for all incomplete frames together, and so the largest frame. @default 64 MiB */
  readonly maxBytes?: number;
}

export interface ChunkAssembler {
  /** Frames discarded so far: evicted by newer ones, or damaged. */
  readonly dropped: number;
  /** Bytes held for incomplete frames. */
  readonly heldBytes: number;
  /**
   * Accepts a piece; keeps a copy of its payload. A duplicate is ignored; one that arrives after its frame is complete
   * counts as the first of a retransmission.
   * @returns the frame when this piece was the last one missing.
   * @throws KnowledgeNetError KN_DECODE when the piece contradicts the others of its frame, the frame exceeds
   * `maxBytes`, or its digest is not the announced one; the frame is then discarded.
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
  const { maxTransfers = 4, maxBytes = DEFAULT_MAX_FRAME_BYTES } = options;
  const transfers = new Map<string, Transfer>(); // oldest first
  let dropped = 0;
  let heldBytes = 0;

  const forget = (id: string): void => {
    heldBytes -= transfers.get(id)?.heldBytes ?? 0;
    transfers.delete(id);
  };
  const discard = (id: string): void => {
    forget(id);
    dropped += 1;
  };
  const makeRoom = (id: string, bytes: number): void => {
    for (const oldest of transfers.keys()) {
      if (heldBytes + bytes <= maxBytes && transfers.size <= maxTransfers) return;
      if (oldest !== id) discard(oldest);
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
        discard(id);
        throw refusal(ATTEMPT, "all pieces must announce the same whole", id);
      }
      if (transfer.pieces.has(index)) return undefined;
      if (transfer.heldBytes + payload.byteLength > totalBytes) {
        if (transfers.has(id)) discard(id);
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
