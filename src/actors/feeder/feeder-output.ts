/** The output of the feeder: encodes batches, and keeps them in an outbox until they are consumed. */
import { augment, type Dataset } from "../../data/index.ts";
import {
  type BatchProvenance,
  encodeActivation,
  encodeGap,
  type Header,
  type Plane,
  runSubject,
} from "../../messages/index.ts";
import {
  type Counters,
  createCounters,
  createFrameSender,
  createOutbox,
  type Outbox,
  RETRANSMIT_AFTER_MS,
  type StreamPosition,
} from "../../runtime/stream/index.ts";
import type { FeederActorDeps, FeederActorOptions } from "./feeder-options.ts";
import type { FeedItem } from "./feeding-plan.ts";

export interface FeederOutput {
  readonly outbox: Outbox;
  readonly sent: Counters<Plane>;
  /** @param teacher version of the teacher that the batch is for */
  publish(item: FeedItem, teacher: number): void;
}

export function createFeederOutput(
  options: FeederActorOptions,
  { bus, clock, log, dataset }: FeederActorDeps,
  fail: (error: Error) => void,
): FeederOutput {
  const { run, id, maxFrameBytes, augmentation, isDistilling, keepsUntil } = options;
  const subject = runSubject(run, "batch", "0");
  const sent = createCounters<Plane>();
  const send = createFrameSender({ maxFrameBytes }, { bus, clock, log, fail });
  // Without its fencing token: a batch depends on its sequence alone, and a learner takes each once and in order.
  const headerAt = ({ sequence, step }: StreamPosition): Header => ({
    ...{ run, sender: id, version: 0, fence: 0 },
    sequence,
    step,
  });
  const sendGap = (first: number, last: StreamPosition): void => {
    send(subject, encodeGap({ header: headerAt(last), first }));
  };
  const outbox = createOutbox(
    { retransmitAfterMs: RETRANSMIT_AFTER_MS },
    // Sections resynchronise with the feeder themselves: each may stand at another position.
    { clock, send, ...(keepsUntil === "first" ? { sendGap } : {}) },
  );

  return {
    outbox,
    sent,
    publish(item, teacher) {
      const split: Dataset["train"] = item.phase === "evaluate" ? dataset.validation : dataset.train;
      const { samples, labels } = split.batch(item.indices);
      const ids = Array.from(item.indices, (index) => split.idOf(index));
      const seed = augmentation?.seed ?? 0;
      const tensor = augmentation === undefined ? samples : augment(samples, ids, item.view, seed, augmentation);
      const provenance: BatchProvenance = { samples: ids, view: item.view, seed, teacher };
      const { phase, evaluation } = item;
      const activation = { header: headerAt(item), phase, tensor, labels, evaluation };
      const frame = encodeActivation({ ...activation, ...(isDistilling ? { provenance } : {}) }, "raw");
      if (phase === "train") sent.count("batch", frame.byteLength);
      outbox.post(item, subject, frame);
    },
  };
}
