/**
 * The gradient model of one boundary: learns from the gradients that return from the next block. Beside its block it shares
 * the block's compute worker, and the block asks it without a message; predictions wait there for the gradient that judges
 * them. On another node it receives the block's activations as well, and publishes its predictions on `syn.<boundary>`; no
 * actor waits for them, and a lost one is not retransmitted.
 */
import type { GradientModelHandle } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  encodeGradient,
  type Gradient,
  type GradientQuality,
  type Plane,
  type Progress,
  runSubject,
  type TensorCodec,
} from "../../messages/index.ts";
import { type Actor, createMessageActor } from "../../runtime/actor/index.ts";
import { type Counters, createCounters, createDropCounters } from "../../runtime/stream/index.ts";
import type { ActorMemory } from "../../runtime/artifacts/index.ts";
import { blockActor } from "../../run-spec/index.ts";
import { type ActorDeps, type StreamActorOptions } from "../link/index.ts";
import { createFrameReceiver, createFrameSender } from "../../runtime/stream/index.ts";
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
  let sent: Counters<Plane> = createCounters();
  /** Set once the actor exists: effects outside a message end it through this. */
  let fail: (error: Error) => void = () => undefined;
  const send = createFrameSender(
    { maxFrameBytes },
    {
      bus,
      clock,
      log,
      fail: (error) => {
        fail(error);
      },
    },
  );
  let unit: GradientModelHandle | undefined;
  let updates = 0;
  let learntStep = 0;
  let blockStep = 0;
  let predictedStep = 0;
  let quality: GradientQuality | undefined;
  let last = { computeMs: 0, receivedBytes: 0 };

  const opened = (): GradientModelHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const progress = (): Progress => ({
    kind: "Progress",
    consumed: 0, // it takes no part in the flow control
    applied: updates,
    stalenessSteps: Math.max(0, blockStep - learntStep),
    computeMs: last.computeMs,
    receivedBytes: last.receivedBytes,
    drops: drops.snapshot(),
    skipped: {},
    pending: 0,
    sentBytes: sent.snapshot(),
    step: learntStep,
    ...(quality === undefined ? {} : { quality }),
  });

  return createMessageActor<BatchMessage | GradientMessage>(
    {
      ...options,
      kind: "kn-gradient",
      description: `gradient model of boundary ${boundary}`,
      mailboxDepth: retain,
    },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail: failActor, tell }) => {
      fail = failActor;
      const onGradient = (gradient: Gradient, receivedBytes: number): boolean => {
        const { step } = gradient.header;
        if (step <= learntStep) {
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
        if (step <= predictedStep) {
          drops.count("duplicate");
          return false;
        }
        if (mailbox.put({ kind: "batch", activation, receivedBytes })) {
          predictedStep = step;
          return true;
        }
        drops.count("overflow");
        return false;
      };

      /** A block that repeats a step after its own restart needs a prediction again. */
      const onBlockProgress = (step: number): void => {
        if (step < predictedStep - retain) predictedStep = step;
        blockStep = Math.max(blockStep, step);
        reached(blockStep);
      };

      const predict = async ({ activation, receivedBytes }: BatchMessage): Promise<void> => {
        const { header: of, tensor, labels } = activation;
        const { result, computeMs } = await opened().predict(of.step, tensor, labels);
        last = { computeMs, receivedBytes };
        const header = { ...of, sender: id, version: updates, fence };
        const frame = encodeGradient({ header, origin: "synthetic", tensor: result }, options.gradientCodec);
        sent.count("syn", frame.byteLength);
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
          updates = Number(saved.metadata.version);
          learntStep = Number(saved.metadata.step);
          predictedStep = learntStep;
          sent = createCounters(JSON.parse(saved.metadata.sentBytes ?? "{}") as Readonly<Record<string, number>>);
          blockStep = Math.max(blockStep, learntStep);
          await unit.restore({ version: updates, tensors: saved.tensors });
        },
        async perform(message) {
          if (message.kind === "batch") {
            await predict(message);
            return { isAwaiting: false };
          }
          const { gradient, receivedBytes } = message;
          const { step, sequence } = gradient.header;
          const { result, computeMs } = await opened().learn(step, gradient.tensor);
          last = { computeMs, receivedBytes };
          if (result === undefined) {
            drops.count("late");
          } else {
            updates = result.updates;
            learntStep = step;
            quality = result;
            tell({ type: "WarmedUp" });
            channel.emit(progress(), { sequence, step, version: updates });
          }
          return { isAwaiting: false };
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          const metadata = {
            actor: id,
            version: String(updates),
            step: String(learntStep),
            sentBytes: JSON.stringify(sent.snapshot()),
          };
          return { metadata, tensors };
        },
        async close() {
          await unit?.dispose();
        },
        progress,
        position: () => ({ step: blockStep, finished: blockStep, consumed: 0, applied: updates }),
        onReconnected: () => undefined, // a lost gradient is no gap: the next one serves as well
      };
    },
  );
}
