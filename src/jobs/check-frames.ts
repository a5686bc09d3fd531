/**
 * Refuses a plan whose frames exceed the limit of its receivers or of the bus: such a frame would be retransmitted
 * forever.
 */
import { KnowledgeNetError } from "../errors/index.ts";
import { largestFrameBytes } from "../messages/index.ts";
import { maxFrameBytesOf, type RunSpec } from "../run-spec/index.ts";
import { jobKindOf } from "./kinds/index.ts";
import type { PlannedFrame } from "./planned-frame.ts";
import type { RunSlices } from "./run-parts.ts";

/** Every kind of frame that a run sends, for training and evaluation, forward and backward. */
export function planFrames(spec: RunSpec, slices: RunSlices): readonly PlannedFrame[] {
  return jobKindOf(spec).frames(spec, slices);
}

/** @throws KnowledgeNetError KN_CONFIG when a frame exceeds `flow.maxFrameMiB`. */
export function checkFrames(spec: RunSpec, slices: RunSlices): void {
  const limit = maxFrameBytesOf(spec);
  for (const frame of planFrames(spec, slices)) {
    if (frame.bytes > limit) {
      throw refuse(
        spec,
        frame,
        limit,
        `a frame must have at most ${limit} bytes (flow.maxFrameMiB)`,
        "raise flow.maxFrameMiB",
      );
    }
  }
}

/**
 * @throws KnowledgeNetError KN_CONFIG when the bus cannot carry a frame in chunks, or would cut one that replicas of a
 * teacher section share: its chunks would go to different replicas.
 */
export function checkBus(spec: RunSpec, slices: RunSlices, bus: { readonly maxPayloadBytes: number }): void {
  const { maxPayloadBytes } = bus;
  const limit = largestFrameBytes(maxPayloadBytes);
  const remedy = "raise `max_payload` in the server's configuration";
  for (const frame of planFrames(spec, slices)) {
    if (frame.isShared === true && frame.bytes > maxPayloadBytes) {
      const rule = `replicas of a teacher section share whole messages, of at most ${maxPayloadBytes} bytes (max_payload)`;
      throw refuse(spec, frame, maxPayloadBytes, rule, `${remedy}, or set teacher.replicas: 1`);
    }
    if (frame.bytes > limit) {
      const rule = `the bus carries frames of at most ${limit} bytes (max_payload is ${maxPayloadBytes})`;
      throw refuse(spec, frame, limit, rule, remedy);
    }
  }
}

function refuse(spec: RunSpec, frame: PlannedFrame, limit: number, rule: string, remedy: string): KnowledgeNetError {
  const { what, batchKey, batch, bytes, bytesPerSample, codecKey } = frame;
  const fitting = batch - Math.ceil((bytes - limit) / bytesPerSample);
  const smaller = fitting > 0 ? [`lower ${batchKey} to at most ${fitting}`] : [];
  const codec = codecKey === undefined ? [] : [`set ${codecKey}: int8-block`];
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `plan ${spec.name}`,
    rule: `${rule}: ${what}, ${batchKey} ${batch}`,
    value: `${bytes} bytes`,
    remedy: [...smaller, ...codec, remedy].join(", or "),
  });
}
