/** From bus messages to decoded activations and gradients: joins chunks, validates, counts what it refuses. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  createChunkAssembler,
  decodeFrame,
  type Frame,
  type Gap,
  type Gradient,
  type TensorView,
} from "../../messages/index.ts";
import { createFenceGuard } from "./fence-guard.ts";
import { type DropCounters } from "./drop-counters.ts";
import type { BusHandler } from "../bus/index.ts";
import type { Logger } from "../telemetry/index.ts";

export interface FrameReceiverOptions {
  /** Messages of another run are refused. */
  readonly run: string;
  /** Largest frame, bytes, chunks joined. */
  readonly maxFrameBytes: number;
}

export interface FrameReceiverDeps {
  readonly drops: DropCounters;
  readonly log: Logger;
  readonly onActivation?: (activation: Activation, receivedBytes: number) => void;
  readonly onGradient?: (gradient: Gradient, receivedBytes: number) => void;
  readonly onGap?: (gap: Gap) => void;
}

/** @returns the handler for every subject that carries frames. Tensors given on are owned by the receiver. */
export function createFrameReceiver(options: FrameReceiverOptions, deps: FrameReceiverDeps): BusHandler {
  const { run, maxFrameBytes } = options;
  const { drops, log, onActivation, onGradient, onGap } = deps;
  const assembler = createChunkAssembler({ maxBytes: maxFrameBytes });

  const guard = createFenceGuard();

  const accept = (data: Uint8Array): void => {
    const frame = decodeFrame(data, { maxBytes: maxFrameBytes });
    if (frame.kind === "chunk") {
      const whole = assembler.accept(frame.chunk);
      if (whole !== undefined) accept(whole);
      return;
    }
    const { header } = contentOf(frame);
    if (header.run !== run) {
      drops.count("unexpected");
    } else if (!guard.admit(header.sender, header.fence)) {
      drops.count("fenced");
    } else if (frame.kind === "activation" && onActivation !== undefined) {
      const { activation } = frame;
      onActivation(
        { ...activation, tensor: own(activation.tensor, data), labels: own(activation.labels, data) },
        data.byteLength,
      );
    } else if (frame.kind === "gradient" && onGradient !== undefined) {
      const { gradient } = frame;
      onGradient({ ...gradient, tensor: own(gradient.tensor, data) }, data.byteLength);
    } else if (frame.kind === "gap" && onGap !== undefined) {
      onGap(frame.gap);
    } else {
      drops.count("unexpected");
    }
  };

  return ({ data, subject }) => {
    try {
      accept(data);
    } catch (error) {
      drops.count(isKnowledgeNetError(error, "KN_STALE") ? "stale" : "undecodable");
      log.warn({ err: error, subject }, "frame refused");
    }
  };
}

function contentOf(frame: Exclude<Frame, { readonly kind: "chunk" }>): Activation | Gradient | Gap {
  if (frame.kind === "activation") return frame.activation;
  return frame.kind === "gradient" ? frame.gradient : frame.gap;
}

/** A decoded view may lie on the message, which is only lent for the length of the handler. */
function own(tensor: TensorView, message: Uint8Array): TensorView {
  return tensor.values.buffer === message.buffer
    ? ({ ...tensor, values: tensor.values.slice() } as TensorView)
    : tensor;
}
