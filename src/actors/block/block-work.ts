/** What a block does with each message: trains, evaluates, applies a gradient, goes past a gap. */
import type { BlockHandle } from "../../compute/index.ts";
import { directiveFor, isKnowledgeNetError } from "../../errors/index.ts";
import type { EvaluationMeasured, Header } from "../../messages/index.ts";
import type { PerformOutcome, Position } from "../../runtime/actor/index.ts";
import type { DropCounters } from "../../runtime/stream/index.ts";
import {
  type AbandonMessage,
  type BatchMessage,
  type BlockMessage,
  type GapMessage,
  type GradientMessage,
  passedOn,
} from "./block-messages.ts";
import type { BlockActorOptions } from "./block-options.ts";
import type { BlockOutput } from "./block-output.ts";
import type { BlockState } from "./block-state.ts";

export interface BlockWorkDeps {
  readonly state: BlockState;
  readonly output: BlockOutput;
  readonly drops: DropCounters;
  readonly unit: () => BlockHandle;
  readonly emitProgress: () => void;
  readonly emitMeasured: (fact: EvaluationMeasured, at: Position) => void;
  /** A training step is finished. */
  readonly reached: (step: number) => void;
}

export function createBlockWork(
  { index, blocks, isGating, isDropping }: BlockActorOptions,
  { state, output, drops, unit, emitProgress, emitMeasured, reached }: BlockWorkDeps,
): (message: BlockMessage) => Promise<PerformOutcome> {
  const { awaited, learner } = state;
  const isLast = index === blocks - 1;

  /** Acknowledges: the senders may forget the batch. */
  const consume = ({ sequence }: Header): void => {
    learner.consume(sequence);
    emitProgress();
    reached(learner.finished);
  };

  const train = async (message: BatchMessage): Promise<PerformOutcome> => {
    const { header: of, tensor, labels } = message.activation;
    if (isGating) awaited.begin(message);
    state.take(of.step, true);
    const { result, computeMs } = await unit().train({ step: of.step, input: tensor, labels }, (made, atVersion) => {
      output.sendActivation(message.activation, made, atVersion, isDropping);
      awaited.sent(of.sequence);
    });
    state.settle(of.step, result);
    const { receivedBytes } = message;
    learner.note({ computeMs, receivedBytes, ...(result.loss === undefined ? {} : { loss: result.loss }) });
    if (result.inputGradient !== undefined)
      output.sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
    if (isGating && !result.isApplied) return { isAwaiting: true };
    awaited.end();
    consume(of);
    return { isAwaiting: false };
  };

  const evaluate = async ({ activation, receivedBytes }: BatchMessage): Promise<PerformOutcome> => {
    const { header: of, tensor, labels, evaluation } = activation;
    state.take(of.step, false);
    const { result, computeMs } = await unit().evaluate(tensor, labels);
    learner.note({ computeMs, receivedBytes });
    if (result.output !== undefined) {
      output.sendActivation(activation, result.output, learner.version, false);
    } else {
      const { correct = 0, lossSum = 0 } = result;
      const measured = learner.evaluations.add(of.sequence, {
        evaluation,
        correct,
        samples: labels.shape[0] ?? 0,
        lossSum,
      });
      emitMeasured(measured, { sequence: of.sequence, step: of.step, version: learner.version });
    }
    consume(of);
    return { isAwaiting: false };
  };

  /** The next block does not get what this one did not get, or could not use. */
  const forwardGap = (end: Header): void => {
    if (!isLast) output.activations.skip(end);
    consume(end);
  };

  const applyGap = ({ end, cause }: GapMessage): PerformOutcome => {
    state.recordSkipped(cause);
    if (end.step > 0) state.take(end.step, false);
    forwardGap(end);
    return { isAwaiting: false };
  };

  const applyGradient = async ({ gradient, receivedBytes }: GradientMessage): Promise<PerformOutcome> => {
    const { header: of, tensor, origin } = gradient;
    const { result, computeMs } = await unit().receive(of.step, tensor, origin).finally(awaited.release);
    state.settle(of.step, result);
    learner.note({ computeMs, receivedBytes });
    if (!result.isApplied && result.isAccumulated !== true) drops.count("late");
    if (result.inputGradient !== undefined)
      output.sendInputGradient(of, { tensor: result.inputGradient, origin: passedOn(result.origin) });
    const { batch } = awaited;
    if (batch?.activation.header.sequence === of.sequence) {
      awaited.end();
      output.activations.acknowledge(of.sequence); // the gradient acknowledges the activation
      consume(batch.activation.header);
    } else if (!isGating) {
      emitProgress();
    }
    return { isAwaiting: awaited.batch !== undefined };
  };

  const abandonBatch = async ({ sequence }: AbandonMessage): Promise<PerformOutcome> => {
    const { batch } = awaited;
    if (batch?.activation.header.sequence !== sequence) return { isAwaiting: batch !== undefined };
    state.giveUp(await unit().forget());
    awaited.end();
    output.activations.acknowledge(sequence);
    consume(batch.activation.header);
    return { isAwaiting: false };
  };

  return async (message) => {
    try {
      if (message.kind === "gradient") return await applyGradient(message);
      if (message.kind === "abandon") return await abandonBatch(message);
      if ("end" in message) return applyGap(message);
      return message.activation.phase === "train" ? await train(message) : await evaluate(message);
    } catch (error) {
      const isNumeric = isKnowledgeNetError(error, "KN_NUMERIC");
      if (isNumeric) drops.count("non-finite");
      learner.abort(!isNumeric);
      if ("activation" in message) {
        awaited.end(); // the unit keeps nothing that a gradient could be applied to
        if (directiveFor(error) === "resume") forwardGap(message.activation.header);
      }
      throw error;
    }
  };
}
