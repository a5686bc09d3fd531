/** From bus messages to decoded activations and gradients: joins chunks, validates, counts what it refuses. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  createChunkAssembler,
  decodeFrame,
  type Frame,
  type Gap,
  type Gradient,
} from "../../messages/index.ts";
import type { BusHandler } from "../bus/index.ts";
import type { Clock } from "../clock/index.ts";
import type { Logger } from "../telemetry/index.ts";
import type { DropCounters } from "./drop-counters.ts";
import { createFenceGuard } from "./fence-guard.ts";
import { createRefusals, MAX_REFUSALS } from "./refusals.ts";
import { ownTensor } from "./own-tensor.ts";

export interface FrameReceiverOptions {
  /** Messages of another run are refused. */
  readonly run: string;
  /** Fencing token of the receiver's own lease; 0: it has none. */
  readonly fence: number;
  /** Largest frame of the run's plan, bytes, chunks joined. */
  readonly maxFrameBytes: number;
}

/** Each handler returns whether the stream advanced: false for a duplicate, or a frame that is not accepted now. */
export interface FrameReceiverDeps {
  readonly clock: Clock;
  readonly drops: DropCounters;
  readonly log: Logger;
  /** Ends the actor: KN_CONFIG when a frame is refused however often it is retransmitted. */
  readonly fail: (error: Error) => void;
  readonly onActivation?: (activation: Activation, receivedBytes: number) => boolean;
  readonly onGradient?: (gradient: Gradient, receivedBytes: number) => boolean;
  readonly onGap?: (gap: Gap) => boolean;
}

/**
 * @returns the handler for every subject that carries frames. The tensors of a delivered frame are owned by the
 * handler.
 */
export function createFrameReceiver(options: FrameReceiverOptions, deps: FrameReceiverDeps): BusHandler {
  const { run, fence, maxFrameBytes } = options;
  const { clock, drops, log, fail, onActivation, onGradient, onGap } = deps;
  const assembler = createChunkAssembler({ maxBytes: maxFrameBytes });
  const guard = createFenceGuard(fence);
  const refusals = createRefusals(clock);

  /** @returns whether the stream advanced. */
  const accept = (data: Uint8Array): boolean => {
    const frame = decodeFrame(data, { maxBytes: maxFrameBytes });
    if (frame.kind === "chunk") {
      const whole = assembler.accept(frame.chunk);
      return whole !== undefined && accept(whole);
    }
    if (frame.kind === "stageBatch" || frame.kind === "stageResult") {
      drops.count("unexpected");
      return false;
    }
    const { header } = contentOf(frame);
    if (header.run !== run) {
      drops.count("unexpected");
      return false;
    }
    if (!guard.admit(header.sender, header.fence)) {
      drops.count("fenced");
      return false;
    }
    if (frame.kind === "activation" && onActivation !== undefined) {
      const { activation } = frame;
      return onActivation(
        { ...activation, tensor: ownTensor(activation.tensor, data), labels: ownTensor(activation.labels, data) },
        data.byteLength,
      );
    }
    if (frame.kind === "gradient" && onGradient !== undefined) {
      const { gradient } = frame;
      return onGradient({ ...gradient, tensor: ownTensor(gradient.tensor, data) }, data.byteLength);
    }
    if (frame.kind === "gap" && onGap !== undefined) return onGap(frame.gap);
    drops.count("unexpected");
    return false;
  };

  const refuse = (error: unknown, subject: string, data: Uint8Array): void => {
    const isStale = isKnowledgeNetError(error, "KN_STALE");
    drops.count(isStale ? "stale" : "undecodable");
    log.warn({ err: error, subject }, "frame refused");
    if (isStale || !refusals.add(data)) return;
    fail(
      new KnowledgeNetError("KN_CONFIG", {
        attempt: `receive from ${subject}`,
        rule: "sender and receiver must agree on every frame",
        value: `one was refused ${MAX_REFUSALS} times: ${error instanceof Error ? error.message : String(error)}`,
        remedy: "run one version of the software on all nodes",
        cause: error,
      }),
    );
  };

  return ({ data, subject }) => {
    try {
      if (accept(data)) refusals.clear();
    } catch (error) {
      refuse(error, subject, data);
    }
  };
}

function contentOf(
  frame: Extract<Frame, { readonly kind: "activation" | "gradient" | "gap" }>,
): Activation | Gradient | Gap {
  if (frame.kind === "activation") return frame.activation;
  return frame.kind === "gradient" ? frame.gradient : frame.gap;
}
