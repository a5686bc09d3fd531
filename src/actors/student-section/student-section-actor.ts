/**
 * A section of a student, or the whole student: learns a lesson as soon as its parts are there, passes its own output on to
 * the student's next section, and sends nothing back. Effects only; when it does what is student-section-machine.ts.
 *
 * Exactly once on a lossy bus: lessons are learnt in the order of sequences, each once. The feeder repeats a batch until
 * every section has consumed it, the teacher answers it again, and the student's own outputs stay in an outbox until the
 * next section has consumed them.
 */
import type { SectionHandle, TensorData } from "../../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import {
  type Activation,
  encodeActivation,
  type Event,
  type Header,
  type Phase,
  type Plane,
  type Progress,
  runSubject,
  type TensorCodec,
} from "../../messages/index.ts";
import { type Actor, createMailActor, type PerformOutcome } from "../../runtime/actor/index.ts";
import {
  type Counters,
  createCounters,
  createDropCounters,
  createOutbox,
  type GapCause,
} from "../../runtime/stream/index.ts";
import type { ActorMemory } from "../../runtime/artifacts/index.ts";
import { COORDINATOR, ownShareAt, type SectionsPhaseSpec } from "../../run-spec/index.ts";
import { type ActorDeps, askMeasurement, createEvaluationTally, type StreamActorOptions } from "../link/index.ts";
import {
  createFrameReceiver,
  createFrameSender,
  createDrainTracker,
  createStepAccount,
  parseCounts,
  RETRANSMIT_AFTER_MS,
  type StepAccount,
} from "../../runtime/stream/index.ts";
import { createLessonDesk, type LessonDesk, type PartName, type WholeLesson } from "./lesson-desk.ts";
import { studentSectionMachine } from "./student-section-machine.ts";

export interface StudentSectionActorOptions extends StreamActorOptions {
  /** Sections of the student that it holds: one, or with the first and the last all of them. */
  readonly first: number;
  readonly last: number;
  /** Sections of the student. */
  readonly sections: number;
  /** Whether there is a teacher. */
  readonly isTaught: boolean;
  /** How the share of its own input moves over the phase. */
  readonly ownInput: SectionsPhaseSpec["ownInput"];
  /** Training steps of the phase, and the sequence after which it begins. */
  readonly totalSteps: number;
  readonly startAfter: number;
  readonly activationCodec: TensorCodec;
  /** Batches between the feeder and the slowest section. */
  readonly window: number;
  readonly feeder: string;
  /** Actor of the student's next section; undefined: there is none. */
  readonly next: string | undefined;
}

export interface StudentSectionActorDeps extends ActorDeps {
  readonly memory: ActorMemory;
  /** Opens the mathematics; called once at the start. */
  readonly openUnit: () => Promise<SectionHandle>;
}

interface LessonMail {
  readonly kind: "lesson";
  readonly lesson: WholeLesson;
  /** Why lessons before it were passed over. */
  readonly gap: GapCause | undefined;
}

/** A lesson that was learnt: the next section has not got its own part of it, and it went with a former life. */
interface RepeatMail {
  readonly kind: "repeat";
  readonly input: Activation;
}

export function createStudentSectionActor(options: StudentSectionActorOptions, deps: StudentSectionActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, first, last, sections, isTaught, ownInput, totalSteps } = options;
  const { bus, clock, log } = deps;
  const isLast = last === sections - 1;
  const drops = createDropCounters();
  let sent: Counters<Plane> = createCounters();
  /** Set once the actor exists: effects outside a message end it through this. */
  let fail: (error: Error) => void = () => undefined;
  const outputs = createOutbox(
    { retransmitAfterMs: RETRANSMIT_AFTER_MS },
    {
      clock,
      send: createFrameSender(
        { maxFrameBytes },
        {
          bus,
          clock,
          log,
          fail: (error) => {
            fail(error);
          },
        },
      ),
    },
  );
  const drain = createDrainTracker(outputs);
  const evaluations = createEvaluationTally();
  let account: StepAccount = createStepAccount();
  let unit: SectionHandle | undefined;
  let desk: LessonDesk;
  let consumed = options.startAfter;
  let version = 0;
  let recalibrated = 0;
  let teacher = 0;
  let inHand = 0;
  let finished = 0;
  let askedMs = -Infinity;
  let isSkipping = false;
  /** Lessons in the mailbox: a whole lesson stays at the desk while there is no room. */
  let waitingLessons = 0;
  let figures: { loss?: number; hintLoss?: number; computeMs: number; receivedBytes: number } = {
    computeMs: 0,
    receivedBytes: 0,
  };

  const opened = (): SectionHandle => {
    if (unit !== undefined) return unit;
    throw new KnowledgeNetError("KN_INVARIANT", { attempt: `use ${id}`, rule: "its unit must be open" });
  };

  const ownShare = (step: number): number => (first === 0 ? 0 : ownShareAt(step, totalSteps, ownInput));

  /** Whether the next section learns, or is measured, from this one's output. */
  const passesOn = (phase: Phase, step: number): boolean =>
    options.next !== undefined &&
    (phase === "evaluate" || (phase === "train" && ownShareAt(step, totalSteps, ownInput) > 0));

  /** What its forward begins with: in evaluation the student goes its own way. */
  const startsFrom = (phase: Phase): PartName => (phase === "evaluate" && first > 0 ? "own" : "input");

  const needs = ({ phase, header }: Activation): PartName[] => {
    if (phase === "recalibrate") return ["input"];
    if (phase === "train") {
      return [
        "input",
        ...(isTaught ? (["hint"] as const) : []),
        ...(ownShare(header.step) > 0 ? (["own"] as const) : []),
      ];
    }
    return [startsFrom(phase), ...(isTaught && isLast ? (["hint"] as const) : [])];
  };
  const createDesk = (start: number): LessonDesk => createLessonDesk(start, { needs, depth: 2 * options.window });
  desk = createDesk(0);

  const progress = (): Progress => ({
    kind: "Progress",
    consumed,
    applied: version,
    stalenessSteps: 0,
    computeMs: figures.computeMs,
    receivedBytes: figures.receivedBytes,
    drops: drops.snapshot(),
    skipped: account.skipped.snapshot(),
    pending: inHand,
    sentBytes: sent.snapshot(),
    step: account.step,
    ...(figures.loss === undefined ? {} : { loss: figures.loss }),
    ...(figures.hintLoss === undefined ? {} : { hintLoss: figures.hintLoss }),
  });

  return createMailActor<LessonMail | RepeatMail>(
    {
      ...options,
      kind: "kn-student",
      description: first === last ? `section ${first} of ${sections} of the student` : "the whole student",
      mailboxDepth: 2 * options.window,
    },
    { ...deps, drops },
    ({ mailbox, channel, reached, fail: failActor }) => {
      fail = failActor;
      const emitProgress = (): void => {
        channel.emit(progress(), { sequence: consumed, step: account.step, version });
      };

      const serve = (): void => {
        while (waitingLessons < 2 * options.window) {
          const lesson = desk.take();
          if (lesson === undefined) return;
          if (mailbox.put({ kind: "lesson", lesson, gap: isSkipping ? "restarted" : undefined })) waitingLessons += 1;
          else drops.count("overflow"); // the mailbox is closed
          isSkipping = false;
        }
      };

      /** What was consumed in a former life does not come again: the feeder knows how far that was. */
      const locate = async (): Promise<void> => {
        askedMs = clock.now();
        try {
          const state = await channel.order(options.feeder, { kind: "ReportState" });
          if (state.kind !== "ActorState" || state.progress.consumed < desk.next) return;
          isSkipping = true;
          desk.skipTo(state.progress.consumed + 1);
          serve();
        } catch (error) {
          // It is not there yet: then it begins where its sections say they are.
          log.debug({ actor: id, err: error }, "feeder not asked");
        }
      };

      /**
       * Whether the next section may lack its part of a lesson that is done with here. In evaluation it may be one further
       * behind, to whom nothing comes but through all in between; that costs no more than a forward.
       */
      const isMissed = ({ phase, header: { sequence, step } }: Activation): boolean =>
        sequence <= consumed && passesOn(phase, step) && (phase === "evaluate" || sequence > outputs.acknowledged);

      /** Somebody waits: has not heard of our progress, or the next section not of our output. */
      const repeat = (name: PartName, part: Activation): void => {
        const { header, phase } = part;
        if (outputs.keeps(header.sequence)) outputs.retransmit(header.sequence);
        else if (name === startsFrom(phase) && isMissed(part) && !mailbox.put({ kind: "repeat", input: part }))
          drops.count("overflow"); // the sender retransmits
        emitProgress();
      };

      const onPart =
        (name: PartName) =>
        (part: Activation, receivedBytes: number): boolean => {
          const arrival = desk.add(name, part, receivedBytes);
          if (arrival === "kept") {
            serve();
            // Later ones come and the next does not: it may be one that was consumed before a restart.
            if (desk.newest > desk.next && clock.now() - askedMs > RETRANSMIT_AFTER_MS) void locate();
            return true;
          }
          if (arrival !== "unexpected") drops.count(arrival);
          if (arrival === "duplicate" && name !== "hint") repeat(name, part);
          return false;
        };

      const consume = (sequence: number): void => {
        consumed = sequence;
        emitProgress();
        finished = account.step;
        reached(finished);
      };

      const pass = (part: Activation, output: TensorData, ofVersion: number): void => {
        const header: Header = { ...part.header, sender: id, version: ofVersion, fence };
        const frame = encodeActivation({ ...part, header, tensor: output }, options.activationCodec);
        if (part.phase === "train") sent.count("act", frame.byteLength);
        outputs.post(part.header, runSubject(run, "act", last), frame);
      };

      const noticeTeacher = (part: Activation): void => {
        const taughtBy = part.lesson?.teacher ?? 0;
        if (taughtBy === teacher || !isTaught) return;
        const at = { sequence: part.header.sequence, step: part.header.step, version };
        if (teacher > 0) channel.emit({ kind: "TeacherChanged", from: teacher, to: taughtBy }, at);
        teacher = taughtBy;
      };

      const train = async (input: Activation, { parts, receivedBytes }: WholeLesson): Promise<void> => {
        const { header: of, tensor, labels } = input;
        const { hint, own } = parts;
        inHand = 1;
        const { result, computeMs } = await opened().train(
          {
            step: of.step,
            input: tensor,
            labels,
            ownShare: own === undefined ? 0 : ownShare(of.step),
            ...(own === undefined ? {} : { ownInput: own.tensor }),
            ...(hint === undefined ? {} : { hint: hint.tensor }),
          },
          passesOn("train", of.step)
            ? (output, atVersion) => {
                pass(input, output, atVersion);
              }
            : undefined,
        );
        account.apply(of.step);
        inHand = 0;
        version = result.version;
        noticeTeacher(hint ?? input);
        figures = {
          loss: result.loss,
          computeMs,
          receivedBytes,
          ...(result.hintLoss === undefined ? {} : { hintLoss: result.hintLoss }),
        };
      };

      const evaluate = async (input: Activation, { parts }: WholeLesson): Promise<void> => {
        const { header: of, tensor, labels, evaluation } = input;
        const { result, computeMs } = await opened().evaluate(tensor, labels, parts.hint?.tensor);
        figures = { ...figures, computeMs };
        if (result.output !== undefined) {
          pass(input, result.output, version);
          return;
        }
        const { agreeing, teacherCorrect } = result;
        const measured = evaluations.add(of.sequence, {
          evaluation,
          correct: result.correct ?? 0,
          samples: labels.shape[0] ?? 0,
          lossSum: result.lossSum ?? 0,
          ...(agreeing === undefined ? {} : { agreeing }),
          ...(teacherCorrect === undefined ? {} : { teacherCorrect }),
        });
        channel.emit(measured, { sequence: of.sequence, step: of.step, version });
      };

      const learn = async ({ lesson, gap }: LessonMail): Promise<PerformOutcome> => {
        waitingLessons -= 1;
        serve();
        const input = lesson.parts.input ?? lesson.parts.own;
        if (input === undefined) throw new TypeError(`lesson ${lesson.sequence} has nothing to begin with`);
        const { phase, header: of } = input;
        account.take(of.step, phase === "train", gap);
        try {
          if (phase === "train") await train(input, lesson);
          else if (phase === "evaluate") await evaluate(input, lesson);
          else await opened().recalibrate((recalibrated += 1), input.tensor);
        } catch (error) {
          if (isKnowledgeNetError(error, "KN_NUMERIC")) drops.count("non-finite");
          else if (inHand > 0) account.skipped.count("refused");
          inHand = 0;
          throw error;
        }
        consume(lesson.sequence);
        return { isAwaiting: false };
      };

      /** Computes its output of a lesson again, with the weights of now, and learns nothing. */
      const answerAgain = async ({ input }: RepeatMail): Promise<PerformOutcome> => {
        const { sequence } = input.header;
        if (!outputs.keeps(sequence) && isMissed(input)) {
          const { result } = await opened().evaluate(input.tensor, input.labels);
          if (result.output !== undefined) pass(input, result.output, version);
        }
        return { isAwaiting: false };
      };

      /** Forgets what the next section has consumed. */
      const onNextEvent = ({ fact }: Event): void => {
        if (fact.kind === "StateEntered") drain.onReceiverState(fact.state);
        if (fact.kind === "Progress") outputs.acknowledge(fact.consumed);
      };

      const endpoint = (name: PartName, subject: string) => ({
        name,
        subject,
        handler: createFrameReceiver(
          { run, fence, maxFrameBytes },
          { clock, drops, log, fail, onActivation: onPart(name) },
        ),
      });
      return {
        machine: studentSectionMachine,
        endpoints: [
          endpoint("input", first === 0 ? runSubject(run, "batch", "0") : runSubject(run, "hint", first - 1)),
          ...(isTaught ? [endpoint("hint", runSubject(run, "hint", last))] : []),
          ...(first === 0 ? [] : [endpoint("own", runSubject(run, "act", first - 1))]),
        ],
        watches: options.next === undefined ? [] : [{ actor: options.next, listener: onNextEvent }],
        async open(saved) {
          unit = await deps.openUnit();
          if (saved !== undefined) {
            const { metadata, tensors } = saved;
            version = Number(metadata.version);
            consumed = Number(metadata.consumed);
            recalibrated = Number(metadata.recalibrated ?? 0);
            teacher = Number(metadata.teacher ?? 0);
            account = createStepAccount(metadata);
            evaluations.restore(metadata);
            sent = createCounters(parseCounts(metadata.sentBytes));
            finished = account.step;
            await unit.restore({ version, tensors });
          }
          if (isLast) evaluations.adopt(await askMeasurement(channel, COORDINATOR));
          desk = createDesk(consumed);
          await locate();
        },
        perform: (mail) => (mail.kind === "repeat" ? answerAgain(mail) : learn(mail)),
        async snapshot() {
          const { tensors } = await opened().snapshot();
          return {
            metadata: {
              actor: id,
              version: String(version),
              consumed: String(consumed),
              recalibrated: String(recalibrated),
              teacher: String(teacher),
              sentBytes: JSON.stringify(sent.snapshot()),
              ...account.save(),
              ...evaluations.save(),
            },
            tensors,
          };
        },
        isAwaiting: () => false,
        drain: () => (options.next === undefined ? Promise.resolve() : drain.drain(consumed)),
        async close() {
          outputs.close();
          await unit?.dispose();
        },
        progress,
        position: () => ({ step: account.step, finished, consumed, applied: version }),
        evaluation: () => evaluations.current,
        onReconnected() {
          outputs.retransmit();
          emitProgress();
        },
      };
    },
  );
}
