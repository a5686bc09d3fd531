/** From an encoded frame to bus messages: whole where the server accepts its size, else in chunks. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { splitFrame } from "../../messages/index.ts";
import type { Bus } from "../bus/index.ts";
import type { Clock } from "../clock/index.ts";
import type { Logger } from "../telemetry/index.ts";
import { createRefusals } from "./refusals.ts";

export type FrameSender = (subject: string, frame: Uint8Array) => void;

export interface FrameSenderOptions {
  /** Largest frame of the run's plan, bytes: its receivers refuse larger ones. */
  readonly maxFrameBytes: number;
}

export interface FrameSenderDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Ends the actor: KN_CONFIG when a frame exceeds the limit, or the server's `max_payload` leaves no way to send it.
   */
  readonly fail: (error: Error) => void;
}

/** A disconnected bus is no error: the outbox retransmits. */
export function createFrameSender(
  { maxFrameBytes }: FrameSenderOptions,
  { bus, clock, log, fail }: FrameSenderDeps,
): FrameSender {
  const refusals = createRefusals(clock);
  return (subject, frame) => {
    if (frame.byteLength > maxFrameBytes) {
      fail(
        new KnowledgeNetError("KN_CONFIG", {
          attempt: `send a frame on ${subject}`,
          rule: `a frame must have at most ${maxFrameBytes} bytes`,
          value: `${frame.byteLength} bytes`,
          remedy: "lower the batch size, use a smaller codec, or raise flow.maxFrameMiB",
        }),
      );
      return;
    }
    try {
      for (const part of splitFrame(frame, bus.maxPayloadBytes)) bus.publish(subject, part);
      refusals.forget(frame);
    } catch (error) {
      log.warn({ err: error, subject }, "frame not sent");
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE") && refusals.add(frame)) fail(toError(error));
    }
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
