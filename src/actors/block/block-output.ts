/**
 * The outputs of a block: activations to the next block, gradients to the one before, each in an outbox until the receiver
 * has consumed it; and the drain of the activations before the block leaves.
 */
import { type Activation, encodeActivation, encodeGap, encodeGradient } from "../../messages/index.ts";
import { type Event, type Gradient, type Header, runSubject } from "../../messages/index.ts";
import {
  createDrainTracker,
  createFrameSender,
  createOutbox,
  type DrainTracker,
  type Outbox,
  RETRANSMIT_AFTER_MS,
} from "../../runtime/stream/index.ts";
import type { LearnerState } from "../link/index.ts";
import type { BlockActorDeps, BlockActorOptions } from "./block-options.ts";

/** Activations in flight to a slower block where older ones are dropped: one at work and one waiting. */
const DROPPING_IN_FLIGHT = 2;

export interface BlockOutput {
  readonly activations: Outbox;
  readonly gradients: Outbox;
  readonly drain: DrainTracker;
  /** Sends what the block has made of `of`. @param isReplaceable it may be dropped for a newer one */
  sendActivation(of: Activation, tensor: Activation["tensor"], version: number, isReplaceable: boolean): void;
  sendInputGradient(of: Header, outcome: Pick<Gradient, "origin" | "tensor">): void;
  /** Acknowledges gradients by the progress of the block before. */
  onPreviousEvent(event: Event): void;
  close(): void;
}

export function createBlockOutput(
  options: BlockActorOptions,
  { bus, clock, log }: BlockActorDeps,
  learner: LearnerState,
  fail: (error: Error) => void,
): BlockOutput {
  const { run, id, fence, index, isDropping, isPreviousGating } = options;
  const outputSubject = runSubject(run, "act", String(index));
  const inputGradientSubject = runSubject(run, "grad", String(index - 1));
  const send = createFrameSender({ maxFrameBytes: options.maxFrameBytes }, { bus, clock, log, fail });
  const activations = createOutbox(
    { retransmitAfterMs: RETRANSMIT_AFTER_MS, ...(isDropping ? { inFlight: DROPPING_IN_FLIGHT } : {}) },
    {
      clock,
      send,
      sendGap: (first, last) => {
        const { version } = learner;
        send(outputSubject, encodeGap({ header: { run, sender: id, version, fence, ...last }, first }));
      },
    },
  );
  const gradients = createOutbox({ retransmitAfterMs: RETRANSMIT_AFTER_MS }, { clock, send });
  const header = (of: Header, version: number): Header => ({ ...of, sender: id, version, fence });

  return {
    activations,
    gradients,
    drain: createDrainTracker(activations),
    sendActivation(of, tensor, version, isReplaceable) {
      const activation = { ...of, header: header(of.header, version), tensor };
      const frame = encodeActivation(activation, options.activationCodec);
      if (of.phase === "train") learner.countSent("act", frame.byteLength);
      activations.post(of.header, outputSubject, frame, isReplaceable);
    },
    sendInputGradient(of, outcome) {
      const frame = encodeGradient({ header: header(of, learner.version), ...outcome }, options.gradientCodec);
      learner.countSent("grad", frame.byteLength);
      if (isPreviousGating) gradients.post(of, inputGradientSubject, frame);
      else send(inputGradientSubject, frame);
    },
    onPreviousEvent({ fact }) {
      if (fact.kind === "Progress") gradients.acknowledge(fact.consumed);
    },
    close() {
      activations.close();
      gradients.close();
    },
  };
}
