/**
 * One section of a teacher: takes batches (the first section) or the hints of the section before, and publishes its own
 * output on `hint.<index>`. Rows for the same samples in the same view are kept, and sent again without computing; a kept
 * row is the bytes that were sent, so it is bit-equal to a fresh one.
 *
 * It has no state and retransmits nothing by itself: the feeder sends a batch again until every student section has consumed
 * it, and each time the teacher answers. So copies of a section may share the batches, each going to one of them (`queue`).
 */
import type { TeacherHandle } from "../../compute/index.ts";
import {
  type Activation,
  encodeActivationOfRows,
  encodedRowBytes,
  type BatchProvenance,
  type Plane,
  type Progress,
  type RowCodec,
  runSubject,
  NO_PROGRESS,
} from "../../messages/index.ts";
import { type Actor, createMessageActor, type PerformOutcome } from "../../runtime/actor/index.ts";
import { createCounters, createDropCounters } from "../../runtime/stream/index.ts";
import type { CachePartition } from "../../runtime/cache/index.ts";
import { NO_MEMORY } from "../../runtime/artifacts/index.ts";
import { type ActorDeps, type StreamActorOptions } from "../link/index.ts";
import { createFrameReceiver, createFrameSender } from "../../runtime/stream/index.ts";
import { type CacheFigure, createTeacherRows } from "./teacher-section-rows.ts";
import { TEACHER_SECTION_ORDER, teacherSectionLifecycle } from "./teacher-section-lifecycle.ts";

export interface TeacherSectionActorOptions extends StreamActorOptions {
  /** Position in the teacher, 0 for the first. */
  readonly index: number;
  /** Sections of the teacher. */
  readonly sections: number;
  /** Shape of one sample of its output. */
  readonly outputShape: readonly number[];
  readonly codec: RowCodec;
  /** Batches in flight at most: half the depth of the mailbox. */
  readonly window: number;
  /** Multiply-accumulates of one sample's forward through this section. */
  readonly macs: number;
  /** Each batch goes to one member of this group; undefined: it is the only one. */
  readonly queue: string | undefined;
}

export interface TeacherSectionActorDeps extends ActorDeps {
  /** Opens this section of that version of the teacher. Rejects with KN_CHECKPOINT when there is none. */
  readonly openUnit: (version: number) => Promise<TeacherHandle>;
  /** Opens the cache partition of its output rows; undefined: nothing is cached. */
  readonly openCachePartition: (provenance: BatchProvenance) => Promise<CachePartition | undefined>;
}

interface BatchMessage {
  readonly kind: "batch";
  readonly activation: Activation;
  readonly provenance: BatchProvenance;
  readonly receivedBytes: number;
}

export function createTeacherSectionActor(options: TeacherSectionActorOptions, deps: TeacherSectionActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, index, sections, codec, outputShape, macs } = options;
  const { bus, clock, log } = deps;
  const drops = createDropCounters();
  const sent = createCounters<Plane>();
  const cache = createCounters<CacheFigure>();
  const rowBytes = encodedRowBytes(outputShape, codec);
  const inputSubject = index === 0 ? runSubject(run, "batch", "0") : runSubject(run, "hint", index - 1);
  const outputSubject = runSubject(run, "hint", index);
  /** Sequences that wait or are at work: a repeat of one of them is no news. */
  const underWay = new Set<number>();
  let newest = 0;
  let consumed = 0;
  let step = 0;
  let answered = 0;
  let last = { computeMs: 0, receivedBytes: 0 };

  const progress = (): Progress => ({
    ...NO_PROGRESS,
    ...last,
    consumed,
    drops: drops.snapshot(),
    sentBytes: sent.snapshot(),
    step,
    cache: cache.snapshot(),
  });

  return createMessageActor<BatchMessage>(
    {
      ...options,
      kind: "kn-teacher",
      description: `section ${index} of ${sections} of the teacher`,
      mailboxDepth: 2 * options.window,
    },
    { ...deps, memory: NO_MEMORY, drops },
    ({ mailbox, channel, fail, tell }) => {
      const send = createFrameSender({ maxFrameBytes }, { bus, clock, log, fail });
      const { openUnit, openCachePartition } = deps;
      const onLoading = (): void => {
        tell({ type: "VersionLoading" });
      };
      const output = createTeacherRows(
        { codec, rowBytes, macs },
        { openUnit, openCachePartition, figures: cache, onLoading },
      );
      const onActivation = (activation: Activation, receivedBytes: number): boolean => {
        const { provenance, phase, header } = activation;
        const { sequence } = header;
        // Batches for batch norm's statistics need no teacher.
        if (provenance === undefined || provenance.teacher === 0 || phase === "recalibrate") return sequence > newest;
        if (underWay.has(sequence)) {
          drops.count("duplicate");
          return false;
        }
        if (mailbox.put({ kind: "batch", activation, provenance: provenance, receivedBytes })) {
          underWay.add(sequence);
          const isNew = sequence > newest; // an older one is retransmitted
          newest = Math.max(newest, sequence);
          return isNew;
        }
        drops.count("overflow");
        return false;
      };

      const answer = async (message: BatchMessage): Promise<PerformOutcome> => {
        const { activation, provenance, receivedBytes } = message;
        const { header: of } = activation;
        try {
          const { rows, computeMs } = await output.rowsOf(activation, provenance);
          last = { computeMs, receivedBytes };
          const { tensor: _input, ...rest } = activation;
          const header = { ...of, sender: id, version: provenance.teacher, fence };
          const encoded = { codec, sampleShape: outputShape, count: provenance.samples.length, rowBytes, bytes: rows };
          const frame = encodeActivationOfRows({ ...rest, header }, encoded);
          if (activation.phase === "train") sent.count("hint", frame.byteLength);
          send(outputSubject, frame);
        } finally {
          underWay.delete(of.sequence);
        }
        answered += 1;
        consumed = Math.max(consumed, of.sequence);
        step = Math.max(step, of.step);
        channel.emit(progress(), { sequence: of.sequence, step: of.step, version: provenance.teacher });
        return { isAwaiting: false };
      };

      const receive = createFrameReceiver({ run, fence, maxFrameBytes }, { clock, drops, log, fail, onActivation });
      return {
        lifecycle: teacherSectionLifecycle,
        order: TEACHER_SECTION_ORDER,
        endpoints: [
          {
            name: "batch",
            subject: inputSubject,
            handler: receive,
            ...(options.queue === undefined ? {} : { queue: options.queue }),
          },
        ],
        watches: [],
        open: () => Promise.resolve(),
        perform: answer,
        snapshot: () => Promise.resolve({ metadata: { answered: String(answered) }, tensors: {} }),
        close: () => output.close(),
        progress,
        position: () => ({ step, finished: step, consumed, applied: 0 }),
        onReconnected: () => undefined, // the feeder repeats what was not learnt
      };
    },
  );
}
