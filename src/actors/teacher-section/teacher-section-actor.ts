/**
 * One section of a teacher: takes batches (the first section) or the hints of the section before, and publishes its own
 * output on `hint.<index>`. Rows for the same samples in the same view are kept, and sent again without computing; a kept
 * row is the bytes that were sent, so it is bit-equal to a fresh one.
 *
 * It has no state and retransmits nothing by itself: the feeder sends a batch again until every student section has consumed
 * it, and each time the teacher answers. So copies of a section may share the batches, each going to one of them (`queue`).
 */
import type { TeacherHandle, TensorData } from "../../compute/index.ts";
import {
  type Activation,
  encodeActivationOfRows,
  encodedRowBytes,
  encodeRows,
  type BatchProvenance,
  type Plane,
  type Progress,
  type RowCodec,
  runSubject,
} from "../../messages/index.ts";
import { type Actor, createMessageActor, type PerformOutcome } from "../../runtime/actor/index.ts";
import { createCounters, createDropCounters } from "../../runtime/stream/index.ts";
import type { CachePartition } from "../../runtime/cache/index.ts";
import { NO_MEMORY } from "../../runtime/artifacts/index.ts";
import { type ActorDeps, type StreamActorOptions } from "../link/index.ts";
import { createFrameReceiver, createFrameSender } from "../../runtime/stream/index.ts";
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

/** What became of samples, and multiply-accumulates that need not be done. */
type CacheFigure = "hits" | "misses" | "refused" | "saved_macs";

export function createTeacherSectionActor(options: TeacherSectionActorOptions, deps: TeacherSectionActorDeps): Actor {
  const { run, id, fence, maxFrameBytes, index, sections, codec, outputShape, macs } = options;
  const { bus, clock, log } = deps;
  const drops = createDropCounters();
  const sent = createCounters<Plane>();
  const cache = createCounters<CacheFigure>();
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
  const rowBytes = encodedRowBytes(outputShape, codec);
  const inputSubject = index === 0 ? runSubject(run, "batch", "0") : runSubject(run, "hint", index - 1);
  const outputSubject = runSubject(run, "hint", index);
  /** Sequences that wait or are at work: a repeat of one of them is no news. */
  const underWay = new Set<number>();
  let opened: { readonly version: number; readonly unit: TeacherHandle } | undefined;
  let newest = 0;
  let consumed = 0;
  let step = 0;
  let answered = 0;
  let last = { computeMs: 0, receivedBytes: 0 };

  let tellLoading: () => void = () => undefined;

  /** Most batches are of the version that is open; the newest one takes its place. */
  const unitOf = async (version: number): Promise<TeacherHandle> => {
    if (opened?.version === version) return opened.unit;
    tellLoading();
    const unit = await deps.openUnit(version);
    await opened?.unit.dispose();
    opened = { version, unit };
    return unit;
  };

  const progress = (): Progress => ({
    kind: "Progress",
    consumed,
    applied: 0,
    stalenessSteps: 0,
    computeMs: last.computeMs,
    receivedBytes: last.receivedBytes,
    drops: drops.snapshot(),
    skipped: {},
    pending: 0,
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
    ({ mailbox, channel, fail: failActor, tell }) => {
      tellLoading = () => {
        tell({ type: "VersionLoading" });
      };
      fail = failActor;
      const onActivation = (activation: Activation, receivedBytes: number): boolean => {
        const { lesson, phase, header } = activation;
        const { sequence } = header;
        // Batches for batch norm's statistics need no teacher.
        if (lesson === undefined || lesson.teacher === 0 || phase === "recalibrate") return sequence > newest;
        if (underWay.has(sequence)) {
          drops.count("duplicate");
          return false;
        }
        if (mailbox.put({ kind: "batch", activation, provenance: lesson, receivedBytes })) {
          underWay.add(sequence);
          const isNew = sequence > newest; // an older one is retransmitted
          newest = Math.max(newest, sequence);
          return isNew;
        }
        drops.count("overflow");
        return false;
      };

      /** Computes the rows that are not there yet. */
      const compute = async (
        { activation, provenance }: BatchMessage,
        isFound: readonly boolean[],
        rows: Uint8Array,
      ): Promise<void> => {
        const absent = isFound.flatMap((found, row) => (found ? [] : [row]));
        const unit = await unitOf(provenance.teacher);
        const { result, computeMs } = await unit.infer(rowsOf(activation.tensor, absent));
        last = { ...last, computeMs };
        const { bytes } = encodeRows(result, codec);
        absent.forEach((row, position) => {
          rows.set(bytes.subarray(position * rowBytes, (position + 1) * rowBytes), row * rowBytes);
        });
      };

      const answer = async (message: BatchMessage): Promise<PerformOutcome> => {
        const { activation, provenance, receivedBytes } = message;
        const { header: of } = activation;
        try {
          last = { computeMs: 0, receivedBytes };
          const { samples } = provenance;
          const rows = new Uint8Array(samples.length * rowBytes);
          const partition = await deps.openCachePartition(provenance);
          const isFound = (await partition?.read(samples, rows)) ?? samples.map(() => false);
          const hits = isFound.filter(Boolean).length;
          if (hits < samples.length) {
            await compute(message, isFound, rows);
            const refused = await partition?.write(
              samples,
              rows,
              isFound.map((found) => !found),
            );
            cache.count("misses", samples.length - hits);
            if (refused !== undefined && refused > 0) cache.count("refused", refused);
          }
          if (hits > 0) {
            cache.count("hits", hits);
            cache.count("saved_macs", hits * macs);
          }
          const { tensor: _input, ...rest } = activation;
          const header = { ...of, sender: id, version: provenance.teacher, fence };
          const encoded = { codec, sampleShape: outputShape, count: samples.length, rowBytes, bytes: rows };
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
        async close() {
          await opened?.unit.dispose();
        },
        progress,
        position: () => ({ step, finished: step, consumed, applied: 0 }),
        onReconnected: () => undefined, // the feeder repeats what was not learnt
      };
    },
  );
}

/** Some rows of a batch, in a buffer of their own; all of them: the batch itself. */
function rowsOf(batch: TensorData, rows: readonly number[]): TensorData {
  const [count = 0, ...sampleShape] = batch.shape;
  if (rows.length === count) return batch;
  const length = batch.values.length / count;
  const values = batch.values.slice(0, rows.length * length);
  rows.forEach((row, position) => {
    values.set(batch.values.subarray(row * length, (row + 1) * length), position * length);
  });
  return { ...batch, shape: [rows.length, ...sampleShape], values } as TensorData;
}
