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
import type { AutoChoice, BlockHandle } from "../../compute/index.ts";
import { directiveFor, isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  encodeActivation,
  encodeGap,
  encodeGradient,
  type Event,
  type Gradient,
  type Header,
  runSubject,
} from "../../messages/index.ts";
import { type Actor, createMailActor, type PerformOutcome, type Position } from "../../runtime/actor/index.ts";
import { createDropCounters, createOutbox, type Outbox } from "../../runtime/stream/index.ts";
import { askMeasurement, createEvaluationTally } from "../link/index.ts";
import {
  createFrameReceiver,
  createFrameSender,
  createDrainTracker,
  createInputStream,
  RETRANSMIT_AFTER_MS,
} from "../../runtime/stream/index.ts";
import { blockActor, COORDINATOR, gradientActor } from "../../run-spec/index.ts";
import { createAwaitedGradient } from "./awaited-gradient.ts";
import { createBlockLedger } from "./block-ledger.ts";
import { blockMachine } from "./block-machine.ts";
import {
  type BatchMail,
  type BlockMail,
  type GiveUpMail,
  type GradientMail,
  passedOn,
  type PassedMail,
} from "./block-mail.ts";
import type { BlockActorDeps, BlockActorOptions } from "./block-options.ts";

/** Activations under way to a block that is slower, where the old may be left out: one at work and one waiting. */
const DROPPING_IN_FLIGHT = 2;

export function createBlockActor(options: BlockActorOptions, deps: BlockActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, index, blocks, isGating, isPreviousGating, isDropping } = options;
  const { bus, clock, log, policy } = deps;
  const isFirst = index === 0;
  const isLast = index === blocks - 1;
  const inputSubject = isFirst ? runSubject(run, "batch", "0") : runSubject(run, "act", String(index - 1));
  const outputSubject = runSubject(run, "act", String(index));
  const inputGradientSubject = runSubject(run, "grad", String(index - 1));

  const drops = createDropCounters();
  const ledger = createBlockLedger(drops);
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
  const activations: Outbox = createOutbox(
    { retransmitAfterMs: RETRANSMIT_AFTER_MS, ...(isDropping ? { inFlight: DROPPING_IN_FLIGHT } : {}) },
    {
      clock,
      send,
      sendGap: (first, last) => {
        send(outputSubject, encodeGap({ header: { run, sender: id, version: ledger.version, fence, ...last }, first }));
      },
    },
  );
  const drain = createDrainTracker(activations);
  const gradients: Outbox = createOutbox({ retransmitAfterMs: RETRANSMIT_AFTER_MS }, { clock, send });

  let unit: BlockHandle | undefined;
  const awaited = createAwaitedGradient();
  const evaluations = createEvaluationTally();
  const opened = (): BlockHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const header = (of: Header, ownVersion: number): Header => ({ ...of, sender: id, version: ownVersion, fence });

  return createMailActor<BlockMail>(
    {
      ...options,
      kind: "kn-block",
      description: `block ${index} of ${blocks}`,
      mailboxDepth: 2 * options.window,
    },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail: failActor }) => {
      fail = failActor;
      const here = (): Position => ({ sequence: ledger.consumed, step: ledger.step, version: ledger.version });
      const emitProgress = (): void => {
        channel.emit(ledger.progress(), here());
      };

      /** Done with: everything that waits for this block may go on. */
      const consume = ({ sequence }: Header): void => {
        ledger.consume(sequence);
        emitProgress();
        reached(ledger.finished);
      };

      const input = createInputStream<Activation>(
        { depth: 2 * options.window, isDropping: isDropping && !isFirst },
        {
          clock,
          drops,
          queue: {
            get size() {
              return mailbox.size;
            },
            put: (activation, receivedBytes) => mailbox.put({ kind: "batch", activation, receivedBytes }),
            putGap: (passed, cause) => mailbox.put({ kind: "batch", passed, cause }),
          },
          acknowledge: emitProgress,
          onDuplicate(sequence) {
            // Our progress was lost, or the gradient that a gating block waits for. The gradient goes first: a progress
            // without it means that there is none.
            gradients.retransmit(sequence);
            emitProgress();
          },
        },
      );

      const onGradient = (gradient: Gradient, receivedBytes: number): boolean => {
        const { sequence } = gradient.header;
        const arrival = isGating ? awaited.arrive(sequence) : "wanted";
        if (arrival !== "wanted") {
          drops.count(arrival === "other" && sequence > ledger.consumed ? "late" : "duplicate");
        } else if (!mailbox.put({ kind: "gradient", gradient, receivedBytes })) {
          drops.count("overflow");
          awaited.release();
        } else {
          return true;
        }
        return false;
      };

      const sendInputGradient = (of: Header, outcome: Pick<Gradient, "origin" | "tensor">): void => {
        const frame = encodeGradient({ header: header(of, ledger.version), ...outcome }, options.gradientCodec);
        ledger.countSent("grad", frame.byteLength);
        if (isPreviousGating) gradients.post(of, inputGradientSubject, frame);
        else send(inputGradientSubject, frame);
      };

      const train = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels } = mail.activation;
        if (isGating) awaited.begin(mail);
        ledger.take(of.step, true);
        const { result, computeMs } = await opened().train(
          { step: of.step, input: tensor, labels },
          (output, atVersion) => {
            const activation = { ...mail.activation, header: header(of, atVersion), tensor: output };
            const frame = encodeActivation(activation, options.activationCodec);
            ledger.countSent("act", frame.byteLength);
            activations.post(of, outputSubject, frame, isDropping);
            awaited.sent(of.sequence);
          },
        );
        ledger.settle(of.step, result);
        const { receivedBytes } = mail;
        ledger.note({ computeMs, receivedBytes, ...(result.loss === undefined ? {} : { loss: result.loss }) });
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        if (isGating && !result.isApplied) return { isAwaiting: true };
        awaited.end();
        consume(of);
        return { isAwaiting: false };
      };

      const evaluate = async (mail: BatchMail): Promise<PerformOutcome> => {
        const { header: of, tensor, labels } = mail.activation;
        ledger.take(of.step, false);
        const { result, computeMs } = await opened().evaluate(tensor, labels);
        ledger.note({ computeMs, receivedBytes: mail.receivedBytes });
        if (result.output !== undefined) {
          const activation = { ...mail.activation, header: header(of, ledger.version), tensor: result.output };
          activations.post(of, outputSubject, encodeActivation(activation, options.activationCodec));
        } else {
          const measured = evaluations.add(of.sequence, {
            evaluation: mail.activation.evaluation,
            correct: result.correct ?? 0,
            samples: labels.shape[0] ?? 0,
            lossSum: result.lossSum ?? 0,
          });
          channel.emit(measured, { sequence: of.sequence, step: of.step, version: ledger.version });
        }
        consume(of);
        return { isAwaiting: false };
      };

      /** What has not come to this block, or come to nothing here, does not come to the next one either. */
      const goOnBehind = (passed: Header): void => {
        if (!isLast) activations.skip(passed);
        consume(passed);
      };

      const passOver = ({ passed, cause }: PassedMail): PerformOutcome => {
        ledger.miss(cause);
        if (passed.step > 0) ledger.take(passed.step, false);
        goOnBehind(passed);
        return { isAwaiting: false };
      };

      const applyGradient = async ({ gradient, receivedBytes }: GradientMail): Promise<PerformOutcome> => {
        const { header: of, tensor, origin } = gradient;
        const { result, computeMs } = await opened().receive(of.step, tensor, origin).finally(awaited.release);
        ledger.settle(of.step, result);
        ledger.note({ computeMs, receivedBytes });
        if (!result.isApplied && result.isAccumulated !== true) drops.count("late");
        if (result.inputGradient !== undefined) {
          sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
        }
        const { batch } = awaited;
        if (batch?.activation.header.sequence === of.sequence) {
          awaited.end();
          activations.acknowledge(of.sequence); // the gradient is the receipt
          consume(batch.activation.header);
        } else if (!isGating) {
          emitProgress();
        }
        return { isAwaiting: awaited.batch !== undefined };
      };

      const giveUp = async ({ sequence }: GiveUpMail): Promise<PerformOutcome> => {
        const { batch } = awaited;
        if (batch?.activation.header.sequence !== sequence) return { isAwaiting: batch !== undefined };
        ledger.giveUp(await opened().forget());
        awaited.end();
        activations.acknowledge(sequence);
        consume(batch.activation.header);
        return { isAwaiting: false };
      };

      /** Forgets what the next block has consumed; of a batch whose gradient is awaited only the gradient counts. */
      const onNextEvent = ({ fact }: Event): void => {
        if (fact.kind === "StateEntered") drain.onReceiverState(fact.state);
        if (fact.kind !== "Progress") return;
        const waitingFor = awaited.batch?.activation.header.sequence ?? Infinity;
        activations.acknowledge(Math.min(fact.consumed, waitingFor - 1));
        const answer = awaited.onConsumed(fact.consumed);
        if (answer === "ask-again") activations.retransmit(waitingFor);
        // The next acknowledgement repeats what a full mailbox refuses.
        else if (answer === "give-up" && !mailbox.put({ kind: "give-up", sequence: waitingFor }))
          drops.count("overflow");
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
        channel.emit({ kind: "SourceSwitched", ...change }, here());
      };

      const receive = createFrameReceiver(
        { run, fence, maxFrameBytes },
        { clock, drops, log, fail, onActivation: input.accept, onGap: input.skip, onGradient },
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
            ledger.restore(metadata);
            evaluations.restore(metadata);
            await unit.restore({ version: ledger.version, tensors });
            if (metadata.source !== undefined) {
              policy?.resume(metadata.source as AutoChoice);
              await unit.use(metadata.source as AutoChoice);
            }
          }
          if (isLast) evaluations.adopt(await askMeasurement(channel, COORDINATOR));
          input.begin(ledger.consumed, saved !== undefined);
          if (!isLast) activations.begin(here());
        },
        perform: async (mail) => {
          try {
            if (mail.kind === "gradient") return await applyGradient(mail);
            if (mail.kind === "give-up") return await giveUp(mail);
            if ("passed" in mail) return passOver(mail);
            return mail.activation.phase === "train" ? await train(mail) : await evaluate(mail);
          } catch (error) {
            const isNumeric = isKnowledgeNetError(error, "KN_NUMERIC");
            if (isNumeric) drops.count("non-finite");
            ledger.abort(!isNumeric);
            if ("activation" in mail) {
              awaited.end(); // nothing is kept that a gradient could be applied to
              if (directiveFor(error) === "resume") goOnBehind(mail.activation.header);
            }
            throw error;
          }
        },
        async snapshot() {
          const { tensors } = await opened().snapshot();
          return {
            metadata: {
              actor: id,
              ...ledger.save(isGating, awaited.batch !== undefined),
              ...evaluations.save(),
              ...(policy === undefined ? {} : { source: policy.current }),
            },
            tensors,
          };
        },
        isAwaiting: () => awaited.batch !== undefined,
        // What a block that waits for its gradient has under way is not consumed: it comes to it again.
        drain: () => (isLast ? Promise.resolve() : drain.drain(ledger.consumed)),
        async close() {
          input.close();
          activations.close();
          gradients.close();
          // What is still pending will not be answered any more: the account closes with nothing open.
          const given = await unit?.forget().catch(() => 0);
          if (given !== undefined && given > 0) {
            ledger.giveUp(given);
            emitProgress();
          }
          await unit?.dispose();
        },
        progress: () => ledger.progress(),
        position: () => ledger.position(),
        evaluation: () => evaluations.current,
        onReconnected() {
          activations.retransmit();
          gradients.retransmit();
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
