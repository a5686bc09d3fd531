/** From an encoded frame to bus messages: whole where the server takes it, in chunks where it does not. */
import { splitFrame } from "../../messages/index.ts";
import type { Bus } from "../bus/index.ts";
import type { Logger } from "../telemetry/index.ts";

export type FrameSender = (subject: string, frame: Uint8Array) => void;

export interface FrameSenderDeps {
  readonly bus: Bus;
  readonly log: Logger;
}

/** A bus that cannot take the frame now is no error: the outbox sends it again. */
export function createFrameSender({ bus, log }: FrameSenderDeps): FrameSender {
  return (subject, frame) => {
    try {
      for (const part of splitFrame(frame, bus.maxPayloadBytes)) bus.publish(subject, part);
    } catch (error) {
      log.warn({ err: error, subject }, "frame not sent");
    }
  };
}
