/**
 * The frames of an endpoint that has no sequence and no retransmission: chunks are joined, and what cannot be read, or is of
 * a kind that the actor does not take, is counted and dropped.
 */
import { createChunkAssembler, decodeFrame, type Frame } from "../../messages/index.ts";
import type { BusMessage } from "../../runtime/bus/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface FrameInboxOptions {
  /** Largest frame of the plan, bytes. */
  readonly maxFrameBytes: number;
  /** What it gets, for the log: "batch". */
  readonly what: string;
}

export interface FrameInboxDeps {
  readonly log: Logger;
  /**
   * Takes a whole frame, never a chunk. @param data its bytes, which `raw` tensors may be views on
   * @returns false for a kind that the actor does not take. What it throws is counted as a refusal.
   */
  readonly onFrame: (frame: Frame, data: Uint8Array) => boolean;
}

export interface FrameInbox {
  /** Messages dropped so far. */
  readonly undecodable: number;
  /** Never throws. */
  receive(message: Pick<BusMessage, "data" | "subject">): void;
}

export function createFrameInbox(
  { maxFrameBytes, what }: FrameInboxOptions,
  { log, onFrame }: FrameInboxDeps,
): FrameInbox {
  const assembler = createChunkAssembler({ maxBytes: maxFrameBytes });
  let undecodable = 0;
  const accept = (data: Uint8Array): void => {
    const frame = decodeFrame(data, { maxBytes: maxFrameBytes });
    if (frame.kind === "chunk") {
      const whole = assembler.accept(frame.chunk);
      if (whole !== undefined) accept(whole);
    } else if (!onFrame(frame, data)) undecodable += 1;
  };
  return {
    get undecodable() {
      return undecodable;
    },
    receive({ data, subject }) {
      try {
        accept(data);
      } catch (error) {
        undecodable += 1;
        log.warn({ err: error, subject }, `${what} refused`);
      }
    },
  };
}
