/**
 * The gradient model of one boundary: hears the gradients that come back from the next block and teaches M with them.
 * Beside its block it shares the block's compute worker, where the block asks it without a message; its predictions
 * wait there for the gradient that judges them.
 */
import type { GradientModelHandle } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Gradient, type GradientQuality, type Progress, runSubject } from "../../messages/index.ts";
import { type Actor, createDropCounters, createMailActor } from "../../runtime/actor/index.ts";
import { type ActorDeps, type ActorOptions, createFrameReceiver, MAX_FRAME_BYTES } from "../link/index.ts";
import { gradientModelMachine } from "./gradient-model-machine.ts";

export interface GradientModelActorOptions extends ActorOptions {
  /** The boundary that it serves: between block `boundary` and the next one. */
  readonly boundary: number;
  /** It learns from every n-th gradient. */
  readonly learnEvery: number;
  /** Predictions kept for learning: the depth of the mailbox. */
  readonly retain: number;
}

export interface GradientModelActorDeps extends ActorDeps {
  /** Opens M; called once at the start. */
  readonly openUnit: () => Promise<GradientModelHandle>;
}

interface GradientMail {
  readonly kind: "gradient";
  readonly gradient: Gradient;
  readonly receivedBytes: number;
}

export function createGradientModelActor(options: GradientModelActorOptions, deps: GradientModelActorDeps): Actor {
  const { run, id, boundary, learnEvery, retain } = options;
  const { log } = deps;
  const drops = createDropCounters();
  let unit: GradientModelHandle | undefined;
  let updates = 0;
  let learntStep = 0;
  let blockStep = 0;
  let quality: GradientQuality | undefined;
  let last = { computeMs: 0, receivedBytes: 0 };

  const opened = (): GradientModelHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const progress = (): Progress => ({
    kind: "Progress",
    consumed: 0, // it takes no part in the flow: nobody waits for it
    applied: updates,
    stalenessSteps: Math.max(0, blockStep - learntStep),
    computeMs: last.computeMs,
    receivedBytes: last.receivedBytes,
    drops: drops.snapshot(),
    ...(quality === undefined ? {} : { quality }),
  });

  return createMailActor<GradientMail>(
    {
      ...options,
      kind: "kn-gradient",
      description: `gradient model of boundary ${boundary}`,
      mailboxDepth: retain,
      generation: options.generation,
    },
    { ...deps, drops },
    ({ mailbox, channel }) => {
      const onGradient = (gradient: Gradient, receivedBytes: number): void => {
        const { step } = gradient.header;
        if (step <= learntStep) drops.count("duplicate");
        else if (step % learnEvery === 0 && !mailbox.put({ kind: "gradient", gradient, receivedBytes })) {
          drops.count("overflow");
        }
      };

      return {
        machine: gradientModelMachine,
        endpoints: [
          {
            name: "gradient",
            subject: runSubject(run, "grad", String(boundary)),
            handler: createFrameReceiver({ run, maxFrameBytes: MAX_FRAME_BYTES }, { drops, log, onGradient }),
          },
        ],
        watches: [
          {
            actor: `block-${boundary}`,
            listener: ({ header, fact }) => {
              if (fact.kind === "Progress") blockStep = Math.max(blockStep, header.step);
            },
          },
        ],
        async open(saved) {
          unit = await deps.openUnit();
          if (saved === undefined) return;
          updates = Number(saved.metadata.version);
          learntStep = Number(saved.metadata.step);
          await unit.restore({ version: updates, tensors: saved.tensors });
        },
        async perform({ gradient, receivedBytes }) {
          const { step, sequence } = gradient.header;
          const { result, computeMs } = await opened().learn(step, gradient.tensor);
          last = { computeMs, receivedBytes };
          if (result === undefined) {
            drops.count("late");
          } else {
            updates = result.updates;
            learntStep = step;
            quality = result;
            channel.emit(progress(), { sequence, step, version: updates });
          }
          return { isAwaiting: false };
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          return { metadata: { actor: id, version: String(updates), step: String(learntStep) }, tensors };
        },
        isAwaiting: () => false,
        async close() {
          await unit?.dispose();
        },
        progress,
        onReconnected: () => undefined, // gradients to M may be lost: the next ones teach it as well
      };
    },
  );
}
