/**
 * A section of a student, or the whole student: learns from a batch as soon as its parts are there, sends its own
 * output to the student's next section, and sends nothing back.
 *
 * Exactly once on a lossy bus: batches are learnt from in the order of sequences, each once. The feeder retransmits a
 * batch until every section has consumed it, the teacher answers each time, and the student's own outputs stay in an
 * outbox until the next section has consumed them.
 */
import type { SectionHandle, TensorData } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Activation, encodeActivation, type Event, type Header, runSubject } from "../../messages/index.ts";
import { COORDINATOR } from "../../run-spec/index.ts";
import { type Actor, createMessageActor } from "../../runtime/actor/index.ts";
import {
  createDrainTracker,
  createDropCounters,
  createFrameReceiver,
  createFrameSender,
  createOutbox,
  RETRANSMIT_AFTER_MS,
} from "../../runtime/stream/index.ts";
import { askMeasurement } from "../link/index.ts";
import type { PartName } from "./input-joiner.ts";
import { createSectionInput } from "./student-section-input.ts";
import { STUDENT_SECTION_ORDER, studentSectionLifecycle } from "./student-section-lifecycle.ts";
import type { StudentSectionMessage } from "./student-section-messages.ts";
import type { StudentSectionActorDeps, StudentSectionActorOptions } from "./student-section-options.ts";
import { createSectionPlan } from "./student-section-plan.ts";
import { createStudentSectionState } from "./student-section-state.ts";
import { createSectionWork } from "./student-section-work.ts";

export function createStudentSectionActor(options: StudentSectionActorOptions, deps: StudentSectionActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, first, last, sections, isTaught, next } = options;
  const { bus, clock, log } = deps;
  const depth = 2 * options.window;
  const drops = createDropCounters();
  const plan = createSectionPlan(options);
  const state = createStudentSectionState(options.startAfter, drops);
  const { learner } = state;
  let opened: SectionHandle | undefined;
  const unit = (): SectionHandle => {
    if (opened !== undefined) return opened;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  return createMessageActor<StudentSectionMessage>(
    {
      ...options,
      kind: "kn-student",
      description: first === last ? `section ${first} of ${sections} of the student` : "the whole student",
      mailboxDepth: depth,
    },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail, tell }) => {
      const outputs = createOutbox(
        { retransmitAfterMs: RETRANSMIT_AFTER_MS },
        { clock, send: createFrameSender({ maxFrameBytes }, { bus, clock, log, fail }) },
      );
      const drain = createDrainTracker(outputs);
      const emitProgress = (): void => {
        const { consumed: sequence, step, version } = learner;
        channel.emit(learner.progress(), { sequence, step, version });
      };
      const send = (of: Activation, tensor: TensorData, version: number): void => {
        const header: Header = { ...of.header, sender: id, version, fence };
        const frame = encodeActivation({ ...of, header, tensor }, options.activationCodec);
        if (of.phase === "train") learner.countSent("act", frame.byteLength);
        outputs.post(of.header, runSubject(run, "act", last), frame);
      };
      const input = createSectionInput(
        { depth, plan },
        {
          clock,
          drops,
          learner,
          outputs,
          put: (message) => mailbox.put(message),
          acknowledge: emitProgress,
          async askFeeder() {
            tell({ type: "ResyncBegun" });
            try {
              const reply = await channel.order(options.feeder, { kind: "ReportState" });
              return reply.kind === "ActorState" ? reply : undefined;
            } catch (error) {
              // There is no feeder yet: it begins at the positions that its learners report.
              log.debug({ actor: id, err: error }, "feeder not asked");
              return undefined;
            } finally {
              tell({ type: "ResyncEnded" });
            }
          },
          onMissing: (part) => {
            tell({ type: "PartMissing", part });
          },
        },
      );
      /** Acknowledges what the next section has consumed. */
      const onNextEvent = ({ fact }: Event): void => {
        if (fact.kind === "StateEntered") drain.onReceiverState(fact.state);
        if (fact.kind === "Progress") outputs.acknowledge(fact.consumed);
      };
      const endpoint = (name: PartName, subject: string) => ({
        name,
        subject,
        handler: createFrameReceiver(
          { run, fence, maxFrameBytes },
          {
            clock,
            drops,
            log,
            fail,
            onActivation: (part, receivedBytes) => input.accept(name, part, receivedBytes),
          },
        ),
      });
      const work = { isTaught, plan, state, input, outputs, drops, channel, unit, send, emitProgress, reached };

      return {
        lifecycle: studentSectionLifecycle,
        order: STUDENT_SECTION_ORDER,
        endpoints: [
          endpoint("input", first === 0 ? runSubject(run, "batch", "0") : runSubject(run, "hint", first - 1)),
          ...(isTaught ? [endpoint("hint", runSubject(run, "hint", last))] : []),
          ...(first === 0 ? [] : [endpoint("own", runSubject(run, "act", first - 1))]),
        ],
        watches: next === undefined ? [] : [{ actor: next, listener: onNextEvent }],
        async open(saved) {
          opened = await deps.openUnit();
          if (saved !== undefined) {
            state.restore(saved.metadata);
            await opened.restore({ version: learner.version, tensors: saved.tensors });
          }
          if (last === sections - 1) learner.evaluations.adopt(await askMeasurement(channel, COORDINATOR));
          await input.begin();
        },
        perform: createSectionWork(work),
        async snapshot() {
          const { tensors } = await unit().snapshot();
          return { metadata: { actor: id, ...state.save() }, tensors };
        },
        drain: () => (next === undefined ? Promise.resolve() : drain.drain(learner.consumed)),
        async close() {
          outputs.close();
          await opened?.dispose();
        },
        progress: () => learner.progress(),
        position: () => learner.position(),
        evaluation: () => learner.evaluations.current,
        onReconnected() {
          outputs.retransmit();
          emitProgress();
        },
      };
    },
  );
}
