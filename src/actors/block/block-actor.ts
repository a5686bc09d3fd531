/**
 * A block: takes batches in order, computes and passes on its activation, updates by the gradient that its source
 * gives, and sends the gradient at its input back. Effects only; when it does what is block-machine.ts.
 *
 * Exactly once on a lossy bus: activations (and, where the block before is gating, gradients) stay in an outbox until
 * the receiver reports them consumed; a gate at the input takes each sequence once and in order.
 *
 * A batch is consumed when its forward is done, of a gating source when its gradient was applied. A gradient that comes
 * later (`delayed`, `mixed`, a gradient model elsewhere) meets the batch in the compute unit, which keeps a bounded number.
 */
import type { AutoChoice, BlockHandle, UpdateOutcome } from "../../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  encodeActivation,
  encodeGradient,
  type Event,
  type Gradient,
  type Header,
  type Plane,
  type Progress,
  runSubject,
} from "../../messages/index.ts";
import {
  type Actor,
  type Counters,
  createCounters,
  createDropCounters,
  createMailActor,
  createOutbox,
  createSequenceGate,
  type Outbox,
  type PerformOutcome,
  type SequenceGate,
} from "../../runtime/actor/index.ts";
import {
  createEvaluationTally,
  createFrameReceiver,
  createFrameSender,
  createStepAccount,
  MAX_FRAME_BYTES,
  parseCounts,
  RESEND_AFTER_MS,
  type StepAccount,
} from "../link/index.ts";
import { blockActor, gradientActor } from "../../spec/index.ts";
import { createAwaitedGradient } from "./awaited-gradient.ts";
import { blockMachine } from "./block-machine.ts";
import { type BatchMail, type BlockMail, type GiveUpMail, type GradientMail, passedOn } from "./block-mail.ts";
import type { BlockActorDeps, BlockActorOptions } from "./block-options.ts";

/** Activations under way to a block that is slower, where the old may be left out: one at work and one waiting. */
const DROPPING_IN_FLIGHT = 2;

export function createBlockActor(options: BlockActorOptions, deps: BlockActorDeps): Actor {
  const { run, id, fence, index, blocks, isGating, isPreviousGating, isDropping } = options;
  const { bus, clock, log, policy } = deps;
  const isFirst = index === 0;
  const isLast = index === blocks - 1;
  const inputSubject = isFirst ? runSubject(run, "batch", "0") : runSubject(run, "act", String(index - 1));
  const outputSubject = runSubject(run, "act", String(index));
  const inputGradientSubject = runSubject(run, "grad", String(index - 1));

  const drops = createDropCounters();
  let sent: Counters<Plane> = createCounters();
  const send = createFrameSender({ bus, log });
  const activations: Outbox = createOutbox(
    { resendAfterMs: RESEND_AFTER_MS, ...(isDropping ? { inFlight: DROPPING_IN_FLIGHT } : {}) },
    { clock, send },
  );
  const gradients: Outbox = createOutbox({ resendAfterMs: RESEND_AFTER_MS }, { clock, send });

  let gate: SequenceGate = createSequenceGate();
  let unit: BlockHandle | undefined;
  let account: StepAccount = createStepAccount();
  let consumed = 0;
  let version = 0;
  /** Batches that the unit keeps for their gradient, and the one that is being computed. */
  let pending = 0;
  let inHand = 0;
  let forgotten = 0;
  let savedAt = 0;
  const awaited = createAwaitedGradient();
  const evaluations = createEvaluationTally();
  let last: { loss?: number; computeMs: number; receivedBytes: number; age: number } = {
    computeMs: 0,
    receivedBytes: 0,
    age: 0,
  };

  const opened = (): BlockHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const header = (of: Header, ownVersion: number): Header => ({ ...of, sender: id, version: ownVersion, fence });

  const progress = (): Progress => ({
    kind: "Progress",
    consumed,
    applied: version,
    stalenessSteps: last.age,
    computeMs: last.computeMs,
    receivedBytes: last.receivedBytes,
    drops: drops.snapshot(),
    skipped: account.skipped.snapshot(),
    pending: pending + inHand,
    sentBytes: sent.snapshot(),
    step: account.step,
    ...(last.loss === undefined ? {} : { loss: last.loss }),
  });

  return createMailActor<BlockMail>(
    {
      ...options,
      kind: "kn-block",
      description: `block ${index} of ${blocks}`,
      mailboxDepth: 2 * options.window,
    },
    { ...deps, drops },
    ({ mailbox, channel, saveSoon }) => {
      const emitProgress = (): void => {
        channel.emit(progress(), { sequence: consumed, step: account.step, version });
      };

      /** The batch is done with: everything that waits for this block may go on. */
      const consume = (batch: BatchMail): void => {
        consumed = batch.activation.header.sequence;
        emitProgress();
        const generation = Math.floor(account.step / options.saveEverySteps) * options.saveEverySteps;
        if (generation > savedAt) {
          savedAt = generation;
          saveSoon(generation);
        }
      };

      /** Takes over what an update, or its absence, leads to. */
      const settle = (ofStep: number, result: UpdateOutcome): void => {
        if (result.isApplied) {
          account.apply(ofStep);
          last = { ...last, age: result.age ?? 0 };
        }
        version = result.version;
        pending = result.pending;
        inHand = 0;
        if (result.forgotten > forgotten) account.skipped.count("unanswered", result.forgotten - forgotten);
        forgotten = result.forgotten;
      };

      const onActivation = (activation: Activation, receivedBytes: number): void => {
        const { sequence } = activation.header;
        // The window bounds what can be under way, so a full queue means repeats: the sender has to wait.
        if (mailbox.size >= 2 * options.window) {
          drops.count("overflow");
          return;
        }
        const checked = gate.check(sequence, activation.header.fence);
        if (checked.verdict === "accept") {
          mailbox.put({ kind: "batch", activation, receivedBytes, gap: checked.gap });
          return;
        }
        const { verdict } = checked;
        drops.count(verdict);
        if (verdict === "duplicate") {
          // The sender has not heard of our progress, or a waiting block has not got its gradient. The gradient first: a
          // progress without it says that there is none any more.
          gradients.resend(sequence);
          emitProgress();
        }
      };

      const onGradient = (gradient: Gradient, receivedBytes: number): void => {
        const { sequence } = gradient.header;
        const arrival = isGating ? awaited.arrive(sequence) : "wanted";
        if (arrival !== "wanted") {
          drops.count(arrival === "other" && sequence > consumed ? "late" : "duplicate");
        } else if (!mailbox.put({ kind: "gradient", gradient, receivedBytes })) {
          drops.count("overflow");
          awaited.release();
        }
      };

      const sendInputGradient = (of: Header, outcome: Pick<Gradient, "origin" | "tensor">): void => {
        const frame = encodeGradient({ header: header(of, version), ...outcome }, options.gradientCodec);
        sent.count("grad", frame.byteLength);
        if (isPreviousGating) gradients.post(of.sequence, inputGradientSubject, frame);
        else send(inputGradientSubject, frame);
      };

      const train = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels } = mail.activation;
        if (isGating) awaited.begin(mail);
        account.take(of.step, true, mail.gap);
        inHand = 1;
        const { result, computeMs } = await opened().train(
          { step: of.step, input: tensor, labels },
          (output, atVersion) => {
            const activation = { ...mail.activation, header: header(of, atVersion), tensor: output };
            const frame = encodeActivation(activation, options.activationCodec);
            sent.count("act", frame.byteLength);
            activations.post(of.sequence, outputSubject, frame, isDropping);
            awaited.sent(of.sequence);
          },
        );
        settle(of.step, result);
        last = {
          ...last,
          computeMs,
          receivedBytes: mail.receivedBytes,
          ...(result.loss === undefined ? {} : { loss: result.loss }),
        };
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        if (isGating && !result.isApplied) return { isAwaiting: true };
        awaited.end();
        consume(mail);
        return { isAwaiting: false };
      };

      const evaluate = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels } = mail.activation;
        account.take(of.step, false, mail.gap);
        const { result, computeMs } = await opened().evaluate(tensor, labels);
        last = { ...last, computeMs, receivedBytes: mail.receivedBytes };
        if (result.output !== undefined) {
          const activation = { ...mail.activation, header: header(of, version), tensor: result.output };
          activations.post(of.sequence, outputSubject, encodeActivation(activation, options.activationCodec));
        } else {
          const measured = evaluations.add({
            evaluation: mail.activation.evaluation,
            correct: result.correct ?? 0,
            samples: labels.shape[0] ?? 0,
            lossSum: result.lossSum ?? 0,
          });
          channel.emit(measured, { sequence: of.sequence, step: of.step, version });
        }
        consume(mail);
        return { isAwaiting: false };
      };

      const applyGradient = async ({ gradient, receivedBytes }: GradientMail): Promise<PerformOutcome> => {
        const { header: of, tensor, origin } = gradient;
        const { result, computeMs } = await opened().receive(of.step, tensor, origin).finally(awaited.release);
        settle(of.step, result);
        last = { ...last, computeMs, receivedBytes };
        if (!result.isApplied && result.isAccumulated !== true) drops.count("late");
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        const { batch } = awaited;
        if (batch?.activation.header.sequence === of.sequence) {
          awaited.end();
          activations.acknowledge(of.sequence); // the gradient is the receipt
          consume(batch);
        } else if (!isGating) {
          emitProgress();
        }
        return { isAwaiting: awaited.batch !== undefined };
      };

      const giveUp = async ({ sequence }: GiveUpMail): Promise<PerformOutcome> => {
        const { batch } = awaited;
        if (batch?.activation.header.sequence !== sequence) return { isAwaiting: batch !== undefined };
        const given = await opened().forget();
        account.skipped.count("unanswered", given);
        forgotten += given;
        pending = 0;
        awaited.end();
        activations.acknowledge(sequence);
        consume(batch);
        return { isAwaiting: false };
      };

      /** Forgets what the next block has consumed; of a batch whose gradient is awaited only the gradient counts. */
      const onNextEvent = ({ fact }: Event): void => {
        // It is there (again): what is under way may have been lost with its former life.
        if (fact.kind === "StateEntered" && fact.state === "running") activations.resend();
        if (fact.kind !== "Progress") return;
        const waitingFor = awaited.batch?.activation.header.sequence ?? Infinity;
        activations.acknowledge(Math.min(fact.consumed, waitingFor - 1));
        const answer = awaited.onConsumed(fact.consumed);
        if (answer === "ask-again") activations.resend(waitingFor);
        else if (answer === "give-up") mailbox.put({ kind: "give-up", sequence: waitingFor });
      };

      /** Changes the way to a gradient when the gradient model has become good or bad enough. */
      const onModelProgress = async ({ header: of, fact }: Event): Promise<void> => {
        if (fact.kind !== "Progress" || fact.quality === undefined) return;
        const { cosine, updates } = fact.quality;
        const change = policy?.observe({ step: of.step, cosine, updates });
        if (change === undefined) return;
        try {
          await opened().use(change.to);
        } catch (error) {
          policy?.resume(change.from); // so that it may try again
          log.warn({ actor: id, ...change, err: error }, "gradient source not switched");
          return;
        }
        log.info({ actor: id, ...change }, "gradient source switched");
        channel.emit({ kind: "SourceSwitched", ...change }, { sequence: consumed, step: account.step, version });
      };

      const receive = createFrameReceiver(
        { run, maxFrameBytes: MAX_FRAME_BYTES },
        { drops, log, onActivation, onGradient },
      );

      return {
        machine: blockMachine,
        endpoints: [
          { name: "activation", subject: inputSubject, handler: receive },
          ...(options.appliesReturned
            ? [{ name: "gradient", subject: runSubject(run, "grad", String(index)), handler: receive }]
            : []),
          ...(options.isGradientModelElsewhere
            ? [{ name: "synthetic", subject: runSubject(run, "syn", String(index)), handler: receive }]
            : []),
        ],
        watches: [
          ...(isLast ? [] : [{ actor: blockActor(index + 1), listener: onNextEvent }]),
          ...(isPreviousGating ? [{ actor: blockActor(index - 1), listener: acknowledging(gradients) }] : []),
          ...(policy === undefined ? [] : [{ actor: gradientActor(index), listener: onModelProgress }]),
        ],
        async open(saved) {
          unit = await deps.openUnit();
          if (saved !== undefined) {
            const { metadata, tensors } = saved;
            version = Number(metadata.version);
            consumed = Number(metadata.consumed);
            account = createStepAccount(metadata);
            sent = createCounters(parseCounts(metadata.sentBytes));
            // What was pending when this was saved is not part of it: its gradient meets nothing now.
            const lost = Number(metadata.pending);
            if (lost > 0) account.skipped.count("unanswered", lost);
            savedAt = account.step;
            await unit.restore({ version, tensors });
            if (metadata.source !== undefined) {
              policy?.resume(metadata.source as AutoChoice);
              await unit.use(metadata.source as AutoChoice);
            }
          }
          gate = createSequenceGate({ start: consumed, takesGaps: isDropping && !isFirst });
        },
        perform: async (mail) => {
          try {
            if (mail.kind === "gradient") return await applyGradient(mail);
            if (mail.kind === "give-up") return await giveUp(mail);
            return mail.activation.phase === "train" ? await train(mail) : await evaluate(mail);
          } catch (error) {
            if (isKnowledgeNetError(error, "KN_NUMERIC")) drops.count("non-finite");
            else if (inHand > 0) account.skipped.count("refused");
            inHand = 0;
            if (mail.kind === "batch") awaited.end(); // nothing is kept that a gradient could be applied to
            throw error;
          }
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          return {
            metadata: {
              actor: id,
              version: String(version),
              consumed: String(consumed),
              // A gating block's batch comes again: the one before has not got its gradient.
              pending: String(isGating ? 0 : pending),
              sentBytes: JSON.stringify(sent.snapshot()),
              ...account.save(awaited.batch !== undefined),
              ...(policy === undefined ? {} : { source: policy.current }),
            },
            tensors,
          };
        },
        isAwaiting: () => awaited.batch !== undefined,
        async close() {
          activations.close();
          gradients.close();
          // What is still pending will not be answered any more: the account closes with nothing open.
          const given = await unit?.forget().catch(() => 0);
          if (given !== undefined && given > 0) {
            account.skipped.count("unanswered", given);
            pending = 0;
            emitProgress();
          }
          await unit?.dispose();
        },
        progress,
        evaluation: () => evaluations.current,
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
function acknowledging(outbox: Outbox): (event: Event) => void {
  return ({ fact }) => {
    if (fact.kind === "Progress") outbox.acknowledge(fact.consumed);
  };
}
