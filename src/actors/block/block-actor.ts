/**
 * A block: takes batches in order, computes and passes on its activation, updates by the gradient that its source
 * gives, and sends the gradient at its input back. Effects only; when it does what is block-machine.ts.
 *
 * Exactly once on a lossy bus: activations (and, where the block before is gating, gradients) stay in an outbox until
 * the receiver reports them consumed; a gate at the input takes each sequence once and in order.
 */
import type { BlockHandle } from "../../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  encodeActivation,
  encodeGradient,
  type EvaluationMeasured,
  type Gradient,
  type Header,
  type Progress,
  runSubject,
  type TensorCodec,
} from "../../messages/index.ts";
import {
  type Actor,
  createDropCounters,
  createMailActor,
  createOutbox,
  createSequenceGate,
  type Outbox,
  type PerformOutcome,
  type SequenceGate,
} from "../../runtime/actor/index.ts";
import {
  type ActorDeps,
  type ActorOptions,
  createFrameReceiver,
  createFrameSender,
  MAX_FRAME_BYTES,
  RESEND_AFTER_MS,
} from "../link/index.ts";
import { blockMachine } from "./block-machine.ts";

export interface BlockActorOptions extends ActorOptions {
  /** Position in the network, 0 for the first. */
  readonly index: number;
  /** Blocks of the run. */
  readonly blocks: number;
  readonly activationCodec: TensorCodec;
  readonly gradientCodec: TensorCodec;
  /** Batches between the feeder and the slowest block: the depth of the mailbox. */
  readonly window: number;
  /** This block's own source makes it wait for each gradient. */
  readonly isGating: boolean;
  /** The block before waits for this block's gradients: they are repeated until they are consumed. */
  readonly isPreviousGating: boolean;
}

export interface BlockActorDeps extends ActorDeps {
  /** Opens the mathematics; called once at the start. */
  readonly openUnit: () => Promise<BlockHandle>;
}

interface BatchMail {
  readonly kind: "batch";
  readonly activation: Activation;
  readonly receivedBytes: number;
}

interface GradientMail {
  readonly kind: "gradient";
  readonly gradient: Gradient;
  readonly receivedBytes: number;
}

type BlockMail = BatchMail | GradientMail;

export function createBlockActor(options: BlockActorOptions, deps: BlockActorDeps): Actor {
  const { run, id, index, blocks, isGating, isPreviousGating } = options;
  const { bus, clock, log } = deps;
  const isFirst = index === 0;
  const isLast = index === blocks - 1;
  const inputSubject = isFirst ? runSubject(run, "batch", "0") : runSubject(run, "act", String(index - 1));
  const outputSubject = runSubject(run, "act", String(index));
  const inputGradientSubject = runSubject(run, "grad", String(index - 1));
  const outputGradientSubject = runSubject(run, "grad", String(index));

  const drops = createDropCounters();
  const send = createFrameSender({ bus, log });
  const activations: Outbox = createOutbox({ resendAfterMs: RESEND_AFTER_MS }, { clock, send });
  const gradients: Outbox = createOutbox({ resendAfterMs: RESEND_AFTER_MS }, { clock, send });

  let gate: SequenceGate = createSequenceGate();
  let unit: BlockHandle | undefined;
  let consumed = 0;
  let version = 0;
  let step = 0;
  /** The batch whose gradient the block waits for, from the moment in which its activation may be heard. */
  let awaited: BatchMail | undefined;
  /** That gradient is here and has not had its turn. */
  let isAnswered = false;
  let evaluation: EvaluationMeasured | undefined;
  let last: { loss?: number; computeMs: number; receivedBytes: number } = { computeMs: 0, receivedBytes: 0 };

  const opened = (): BlockHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const header = (of: Header, ownVersion: number): Header => ({
    run,
    sender: id,
    sequence: of.sequence,
    step: of.step,
    version: ownVersion,
    fence: 0,
  });

  const progress = (): Progress => ({
    kind: "Progress",
    consumed,
    applied: version,
    stalenessSteps: 0,
    computeMs: last.computeMs,
    receivedBytes: last.receivedBytes,
    drops: drops.snapshot(),
    ...(last.loss === undefined ? {} : { loss: last.loss }),
  });

  return createMailActor<BlockMail>(
    {
      ...options,
      kind: "kn-block",
      description: `block ${index} of ${blocks}`,
      mailboxDepth: 2 * options.window,
      generation: options.generation,
    },
    { ...deps, drops },
    ({ mailbox, channel }) => {
      const emitProgress = (): void => {
        channel.emit(progress(), { sequence: consumed, step, version });
      };

      /** The batch is done with: everything that waits for this block may go on. */
      const consume = (batch: BatchMail): void => {
        consumed = batch.activation.header.sequence;
        step = batch.activation.header.step;
        emitProgress();
      };

      const onActivation = (activation: Activation, receivedBytes: number): void => {
        const { sequence } = activation.header;
        // The window bounds what can be under way, so a full queue means repeats: the sender has to wait.
        if (mailbox.size >= 2 * options.window) {
          drops.count("overflow");
          return;
        }
        const skippedBefore = gate.skipped;
        const verdict = gate.check(sequence);
        if (gate.skipped > skippedBefore) drops.count("skipped", gate.skipped - skippedBefore);
        if (verdict === "accept") {
          mailbox.put({ kind: "batch", activation, receivedBytes });
          return;
        }
        drops.count(verdict);
        if (verdict === "duplicate") {
          // The sender has not heard of our progress, or a waiting block has not got its gradient.
          emitProgress();
          gradients.resend(sequence);
        }
      };

      const onGradient = (gradient: Gradient, receivedBytes: number): void => {
        if (awaited === undefined || gradient.header.sequence !== awaited.activation.header.sequence) {
          drops.count(gradient.header.sequence <= consumed ? "duplicate" : "late");
        } else if (isAnswered) {
          drops.count("duplicate");
        } else {
          isAnswered = mailbox.put({ kind: "gradient", gradient, receivedBytes });
          if (!isAnswered) drops.count("overflow");
        }
      };

      const sendInputGradient = (of: Header, outcome: Pick<Gradient, "origin" | "tensor">): void => {
        const frame = encodeGradient({ header: header(of, version), ...outcome }, options.gradientCodec);
        if (isPreviousGating) gradients.post(of.sequence, inputGradientSubject, frame);
        else send(inputGradientSubject, frame);
      };

      const train = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels, phase } = mail.activation;
        // Before the forward: a quick neighbour answers the activation before the call that computed it returns.
        if (isGating) awaited = mail;
        const { result, computeMs } = await opened().train(
          { step: of.step, input: tensor, labels },
          (output, atVersion) => {
            const activation: Activation = {
              header: header(of, atVersion),
              phase,
              tensor: output,
              labels: mail.activation.labels,
              evaluation: 0,
            };
            activations.post(of.sequence, outputSubject, encodeActivation(activation, options.activationCodec));
          },
        );
        version = result.version;
        last = {
          computeMs,
          receivedBytes: mail.receivedBytes,
          ...(result.loss === undefined ? {} : { loss: result.loss }),
        };
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        if (isGating && !result.isApplied) return { isAwaiting: true };
        awaited = undefined;
        consume(mail);
        return { isAwaiting: false };
      };

      const evaluate = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels, phase } = mail.activation;
        const samples = labels.shape[0] ?? 0;
        const { result, computeMs } = await opened().evaluate(tensor, labels);
        last = { ...last, computeMs, receivedBytes: mail.receivedBytes };
        if (result.output !== undefined) {
          const activation: Activation = {
            ...mail.activation,
            header: header(of, version),
            phase,
            tensor: result.output,
          };
          activations.post(of.sequence, outputSubject, encodeActivation(activation, options.activationCodec));
        } else {
          const before = evaluation?.evaluation === mail.activation.evaluation ? evaluation : undefined;
          evaluation = {
            kind: "EvaluationMeasured",
            evaluation: mail.activation.evaluation,
            correct: (before?.correct ?? 0) + (result.correct ?? 0),
            samples: (before?.samples ?? 0) + samples,
            lossSum: (before?.lossSum ?? 0) + (result.lossSum ?? 0),
          };
          channel.emit(evaluation, { sequence: of.sequence, step: of.step, version });
        }
        consume(mail);
        return { isAwaiting: false };
      };

      const applyGradient = async ({ gradient, receivedBytes }: GradientMail): Promise<PerformOutcome> => {
        const { header: of, tensor, origin } = gradient;
        const { result, computeMs } = await opened()
          .receive(of.step, tensor, origin)
          .finally(() => {
            isAnswered = false;
          });
        version = result.version;
        last = { ...last, computeMs, receivedBytes };
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        const batch = awaited;
        if (batch !== undefined && batch.activation.header.sequence === of.sequence) {
          awaited = undefined;
          consume(batch);
        }
        return { isAwaiting: awaited !== undefined };
      };

      const receive = createFrameReceiver(
        { run, maxFrameBytes: MAX_FRAME_BYTES },
        { drops, log, onActivation, onGradient },
      );

      return {
        machine: blockMachine,
        endpoints: [
          { name: "activation", subject: inputSubject, handler: receive },
          ...(isGating ? [{ name: "gradient", subject: outputGradientSubject, handler: receive }] : []),
        ],
        watches: [
          ...(isLast ? [] : [{ actor: `block-${index + 1}`, listener: acknowledging(activations) }]),
          ...(isPreviousGating ? [{ actor: `block-${index - 1}`, listener: acknowledging(gradients) }] : []),
        ],
        async open(saved) {
          unit = await deps.openUnit();
          if (saved !== undefined) {
            const { metadata, tensors } = saved;
            version = Number(metadata.version);
            consumed = Number(metadata.consumed);
            step = Number(metadata.step);
            await unit.restore({ version, tensors });
          }
          gate = createSequenceGate({ start: consumed, isRejoining: options.isRejoining ?? false });
        },
        perform: async (mail) => {
          try {
            if (mail.kind === "gradient") return await applyGradient(mail);
            return mail.activation.phase === "train" ? await train(mail) : await evaluate(mail);
          } catch (error) {
            if (isKnowledgeNetError(error, "KN_NUMERIC")) drops.count("non-finite");
            if (mail.kind === "batch") awaited = undefined; // nothing is kept that a gradient could be applied to
            throw error;
          }
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          const metadata = { actor: id, version: String(version), consumed: String(consumed), step: String(step) };
          return { metadata, tensors };
        },
        isAwaiting: () => awaited !== undefined,
        async close() {
          activations.close();
          gradients.close();
          await unit?.dispose();
        },
        progress,
        evaluation: () => evaluation,
        onReconnected() {
          activations.resend();
          gradients.resend();
          emitProgress();
        },
      };
    },
  );
}

/** Forgets what the receiver has consumed. */
function acknowledging(outbox: Outbox): (event: { fact: { kind: string; consumed?: number } }) => void {
  return ({ fact }) => {
    if (fact.kind === "Progress" && fact.consumed !== undefined) outbox.acknowledge(fact.consumed);
  };
}

/** A gradient computed from anything but the true one is bootstrapped (Jaderberg et al. 2016, section 2.1). */
function passedOn(origin: Gradient["origin"] | undefined): Gradient["origin"] {
  return origin === "true" ? "true" : "bootstrapped";
}
