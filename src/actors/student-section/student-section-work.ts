/** What a student's section does with each message: learns, evaluates, recalibrates, computes an output again. */
import type { SectionHandle, TensorData } from "../../compute/index.ts";
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Activation } from "../../messages/index.ts";
import type { ControlChannel, PerformOutcome } from "../../runtime/actor/index.ts";
import type { DropCounters, Outbox } from "../../runtime/stream/index.ts";
import type { JoinedInputs } from "./input-joiner.ts";
import type { SectionInput } from "./student-section-input.ts";
import type { InputsMessage, RecomputeMessage, StudentSectionMessage } from "./student-section-messages.ts";
import type { SectionPlan } from "./student-section-plan.ts";
import type { StudentSectionState } from "./student-section-state.ts";

export interface SectionWorkDeps {
  readonly isTaught: boolean;
  readonly plan: SectionPlan;
  readonly state: StudentSectionState;
  readonly input: SectionInput;
  readonly outputs: Outbox;
  readonly drops: DropCounters;
  readonly channel: ControlChannel;
  readonly unit: () => SectionHandle;
  /** Sends an output to the next section. */
  readonly send: (of: Activation, output: TensorData, version: number) => void;
  readonly emitProgress: () => void;
  readonly reached: (step: number) => void;
}

export function createSectionWork(deps: SectionWorkDeps): (message: StudentSectionMessage) => Promise<PerformOutcome> {
  const { isTaught, plan, state, input, outputs, drops, channel, unit, send, emitProgress, reached } = deps;
  const { learner } = state;

  const noticeTeacher = (part: Activation): void => {
    const version = part.provenance?.teacher ?? 0;
    if (version === state.teacher || !isTaught) return;
    const at = { sequence: part.header.sequence, step: part.header.step, version: learner.version };
    if (state.teacher > 0) channel.emit({ kind: "TeacherChanged", from: state.teacher, to: version }, at);
    state.learnFrom(version);
  };

  const train = async (batch: Activation, { parts, receivedBytes }: JoinedInputs): Promise<void> => {
    const { header: of, tensor, labels } = batch;
    const { hint, own } = parts;
    const { result, computeMs } = await unit().train(
      {
        step: of.step,
        input: tensor,
        labels,
        ownShare: own === undefined ? 0 : plan.ownShare(of.step),
        ...(own === undefined ? {} : { ownInput: own.tensor }),
        ...(hint === undefined ? {} : { hint: hint.tensor }),
      },
      plan.sendsOn("train", of.step)
        ? (output, atVersion) => {
            send(batch, output, atVersion);
          }
        : undefined,
    );
    learner.settle(of.step, { isApplied: true, version: result.version });
    noticeTeacher(hint ?? batch);
    const { loss, hintLoss } = result;
    learner.note({ loss, computeMs, receivedBytes, ...(hintLoss === undefined ? {} : { hintLoss }) });
  };

  const evaluate = async (batch: Activation, { parts }: JoinedInputs): Promise<void> => {
    const { header: of, tensor, labels, evaluation } = batch;
    const { result, computeMs } = await unit().evaluate(tensor, labels, parts.hint?.tensor);
    learner.note({ computeMs });
    if (result.output !== undefined) {
      send(batch, result.output, learner.version);
      return;
    }
    const { correct = 0, lossSum = 0, agreeing, teacherCorrect } = result;
    const measured = learner.evaluations.add(of.sequence, {
      evaluation,
      correct,
      samples: labels.shape[0] ?? 0,
      lossSum,
      ...(agreeing === undefined ? {} : { agreeing }),
      ...(teacherCorrect === undefined ? {} : { teacherCorrect }),
    });
    channel.emit(measured, { sequence: of.sequence, step: of.step, version: learner.version });
  };

  const learn = async ({ inputs, gap }: InputsMessage): Promise<void> => {
    input.taken();
    const batch = inputs.parts.input ?? inputs.parts.own;
    if (batch === undefined) throw new TypeError(`inputs ${inputs.sequence} have no part to begin with`);
    const { phase, header: of } = batch;
    learner.take(of.step, phase === "train", gap);
    try {
      if (phase === "train") await train(batch, inputs);
      else if (phase === "evaluate") await evaluate(batch, inputs);
      else await unit().recalibrate(state.recalibrate(), batch.tensor);
    } catch (error) {
      const isNumeric = isKnowledgeNetError(error, "KN_NUMERIC");
      if (isNumeric) drops.count("non-finite");
      learner.abort(!isNumeric);
      throw error;
    }
    learner.consume(inputs.sequence);
    emitProgress();
    reached(learner.finished);
  };

  /** With the weights of now, and without an update. */
  const recomputeOutput = async ({ input: part }: RecomputeMessage): Promise<void> => {
    if (outputs.keeps(part.header.sequence) || !input.wasConsumedHere(part)) return;
    const { result } = await unit().evaluate(part.tensor, part.labels);
    if (result.output !== undefined) send(part, result.output, learner.version);
  };

  return async (message) => {
    if (message.kind === "recompute") await recomputeOutput(message);
    else await learn(message);
    return { isAwaiting: false };
  };
}
