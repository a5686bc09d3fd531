/**
 * The gradient model of one boundary: learns from the gradients that return from the next block. Beside its block it shares
 * the block's compute worker, and the block asks it without a message; predictions wait there for the gradient that judges
 * them. On another node it receives the block's activations as well, and publishes its predictions on `syn.<boundary>`; no
 * actor waits for them, and a lost one is not retransmitted.
 */
import type { GradientModelHandle } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Activation, encodeGradient, type Gradient, runSubject, type TensorCodec } from "../../messages/index.ts";
import { type Actor, createMessageActor } from "../../runtime/actor/index.ts";
import { createDropCounters } from "../../runtime/stream/index.ts";
import type { ActorMemory } from "../../runtime/artifacts/index.ts";
import { blockActor } from "../../run-spec/index.ts";
import { type ActorDeps, type StreamActorOptions } from "../link/index.ts";
import { createFrameReceiver, createFrameSender } from "../../runtime/stream/index.ts";
import { createGradientModelState } from "./gradient-model-state.ts";
import { GRADIENT_MODEL_ORDER, gradientModelLifecycle } from "./gradient-model-lifecycle.ts";

export interface GradientModelActorOptions extends StreamActorOptions {
  /** The boundary that it serves: between block `boundary` and the next one. */
  readonly boundary: number;
  /** It learns from each n-th gradient. */
  readonly learnEvery: number;
  /** Predictions kept for learning: the depth of the mailbox. */
  readonly retain: number;
  /** It is not in its block's worker: it receives activations and publishes predictions. */
  readonly isElsewhere: boolean;
  readonly gradientCodec: TensorCodec;
}

export interface GradientModelActorDeps extends ActorDeps {
  readonly memory: ActorMemory;
  /** Opens M; called once at the start. */
  readonly openUnit: () => Promise<GradientModelHandle>;
}

interface BatchMessage {
  readonly kind: "batch";
  readonly activation: Activation;
  readonly receivedBytes: number;
}

interface GradientMessage {
  readonly kind: "gradient";
  readonly gradient: Gradient;
  readonly receivedBytes: number;
}

export function createGradientModelActor(options: GradientModelActorOptions, deps: GradientModelActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, boundary, learnEvery, retain, isElsewhere } = options;
  const { bus, clock, log } = deps;
  const drops = createDropCounters();
  const state = createGradientModelState(drops);
  let unit: GradientModelHandle | undefined;

  const opened = (): GradientModelHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  return createMessageActor<BatchMessage | GradientMessage>(
    {
      ...options,
      kind: "kn-gradient",
      description: `gradient model of boundary ${boundary}`,
      mailboxDepth: retain,
    },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail, tell }) => {
      const send = createFrameSender({ maxFrameBytes }, { bus, clock, log, fail });
      const onGradient = (gradient: Gradient, receivedBytes: number): boolean => {
        const { step } = gradient.header;
        if (step <= state.learntStep) {
          drops.count("duplicate");
          return false;
        }
        if (step % learnEvery !== 0 || mailbox.put({ kind: "gradient", gradient, receivedBytes })) return true;
        drops.count("overflow");
        return false;
      };

      const onActivation = (activation: Activation, receivedBytes: number): boolean => {
        const { step } = activation.header;
        if (activation.phase === "evaluate") return true;
        if (step <= state.predictedStep) {
          drops.count("duplicate");
          return false;
        }
        if (mailbox.put({ kind: "batch", activation, receivedBytes })) {
          state.queuePrediction(step);
          return true;
        }
        drops.count("overflow");
        return false;
      };

      const onBlockProgress = (step: number): void => {
        state.followBlock(step, retain);
        if (state.updates > 0) tell({ type: "WarmedUp" }); // before a restart, too
        reached(state.blockStep);
      };

      const predict = async ({ activation, receivedBytes }: BatchMessage): Promise<void> => {
        const { header: of, tensor, labels } = activation;
        const { result, computeMs } = await opened().predict(of.step, tensor, labels);
        state.note(computeMs, receivedBytes);
        const header = { ...of, sender: id, version: state.updates, fence };
        const frame = encodeGradient({ header, origin: "synthetic", tensor: result }, options.gradientCodec);
        state.countSent("syn", frame.byteLength);
        send(runSubject(run, "syn", String(boundary)), frame);
      };

      const receive = createFrameReceiver(
        { run, fence, maxFrameBytes },
        { clock, drops, log, fail, onGradient, ...(isElsewhere ? { onActivation, onGap: () => true } : {}) },
      );

      return {
        lifecycle: gradientModelLifecycle,
        order: GRADIENT_MODEL_ORDER,
        endpoints: [
          { name: "gradient", subject: runSubject(run, "grad", String(boundary)), handler: receive },
          ...(isElsewhere
            ? [{ name: "activation", subject: runSubject(run, "act", String(boundary)), handler: receive }]
            : []),
        ],
        watches: [
          {
            actor: blockActor(boundary),
            listener: ({ header, fact }) => {
              if (fact.kind === "Progress") onBlockProgress(header.step);
            },
          },
        ],
        async open(saved) {
          unit = await deps.openUnit();
          if (saved === undefined) return;
          state.restore(saved.metadata);
          await unit.restore({ version: state.updates, tensors: saved.tensors });
        },
        async perform(message) {
          if (message.kind === "batch") {
            await predict(message);
            return { isAwaiting: false };
          }
          const { gradient, receivedBytes } = message;
          const { step, sequence } = gradient.header;
          const { result, computeMs } = await opened().learn(step, gradient.tensor);
          state.note(computeMs, receivedBytes);
          if (result === undefined) {
            drops.count("late");
          } else {
            state.learnt(step, result);
            tell({ type: "WarmedUp" });
            channel.emit(state.progress(), { sequence, step, version: state.updates });
          }
          return { isAwaiting: false };
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          return { metadata: { actor: id, ...state.save() }, tensors };
        },
        async close() {
          await unit?.dispose();
        },
        progress: () => state.progress(),
        position: () => state.position(),
        onReconnected: () => undefined, // a lost gradient is no gap: the next one serves as well
      };
    },
  );
}
