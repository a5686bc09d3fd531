/**
 * Where a learner's state is between two processes: a blob for each save, named by a record that is changed by
 * compare-and-set, so that of two learners of one run the second to save learns that it is one too many. What is to be sent is
 * saved with the state and sent afterwards: after a crash it is sent again, and who receives it knows it already.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { TensorView } from "../../messages/index.ts";
import { parseJson, type Store } from "../../runtime/store/index.ts";
import type { FollowEvent } from "./follow-events.ts";

/** Bucket of the records, by run, and of the blobs. */
export const LEARNERS_BUCKET = "kn-continuous";

const recordSchema = z.strictObject({
  format: z.literal(1),
  sequence: z.int().min(1),
  blob: z.string(),
  /** That it follows. */
  model: z.string(),
  /** Version of the oracle whose labels the state has; absent: it has none. */
  oracle: z.string().optional(),
});
/** Of a saved state. */
export type LearnerRecord = z.infer<typeof recordSchema>;

/** Undefined: one of another format. */
export function parseLearnerRecord(value: Uint8Array): LearnerRecord | undefined {
  return recordSchema.safeParse(parseJson(value)).data;
}

/** Name of the blob of a run's save. */
export const saveName = (run: string, sequence: number): string => `${run}.${sequence}`;

/** Of one step, to be sent. */
export interface Outbox {
  /** Of its first event in the run's history, from 0. */
  readonly firstEvent: number;
  readonly events: readonly FollowEvent[];
  /** SignedUpdate bytes, in their order. */
  readonly updates: readonly Uint8Array[];
  /** What is to be on offer after that; undefined: nothing. */
  readonly offer: Uint8Array | undefined;
}

export interface LearnerMemory {
  /** The newest saved state and what was to be sent with it; undefined: none. Rejects with KN_CHECKPOINT when it is damaged. */
  load(): Promise<{ readonly state: SafetensorsContent; readonly outbox: Outbox } | undefined>;
  /**
   * Rejects with KN_FENCED when another learner has saved meanwhile.
   * @param oracle version of the oracle whose labels the state has
   */
  save(state: SafetensorsContent, outbox: Outbox, oracle?: string): Promise<void>;
}

/** @param model that the run follows */
export async function openLearnerMemory(store: Store, run: string, model: string): Promise<LearnerMemory> {
  const [records, blobs] = await Promise.all([store.kv(LEARNERS_BUCKET), store.blobs(LEARNERS_BUCKET)]);
  let revision: number | undefined;
  let sequence = 0;

  const damaged = (value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `go on with the continuous run ${run}`,
      rule: "its saved state must be there and whole",
      value,
      remedy: "begin a run under another name; what devices have stays",
    });

  return {
    async load() {
      const entry = await records.get(run);
      if (entry === undefined) return undefined;
      const record = parseLearnerRecord(entry.value);
      if (record === undefined) throw damaged("a record of another format");
      const bytes = await blobs.get(record.blob);
      if (bytes === undefined) throw damaged(`${record.blob} is absent`);
      ({ revision } = entry);
      ({ sequence } = record);
      return readSaved(decodeSafetensors(bytes));
    },
    async save(state, outbox, oracle) {
      const next = sequence + 1;
      const blob = saveName(run, next);
      await blobs.put(blob, encodeSafetensors(writeSaved(state, outbox)));
      const record: LearnerRecord = { format: 1, sequence: next, blob, model, oracle };
      const value = new TextEncoder().encode(JSON.stringify(record));
      revision = await (revision === undefined ? records.create(run, value) : records.update(run, value, revision));
      sequence = next;
      // The one before stays: a reader may be at it.
      if (next > 2) await blobs.delete(saveName(run, next - 2));
    },
  };
}

const SENT = "sent/";
const OFFER = "offer";

function writeSaved({ metadata, tensors }: SafetensorsContent, outbox: Outbox): SafetensorsContent {
  const { firstEvent, events, updates, offer } = outbox;
  const offered: Record<string, TensorView> =
    offer === undefined ? {} : { [OFFER]: { dtype: "u8", shape: [offer.length], values: offer } };
  const sent = updates.map((values, index): [string, TensorView] => [
    `${SENT}${index}`,
    { dtype: "u8", shape: [values.length], values },
  ]);
  return {
    metadata: { ...metadata, outbox: JSON.stringify({ firstEvent, events }) },
    tensors: { ...tensors, ...Object.fromEntries(sent), ...offered },
  };
}

function readSaved({ metadata, tensors }: SafetensorsContent): { state: SafetensorsContent; outbox: Outbox } {
  const { firstEvent, events } = JSON.parse(metadata["outbox"] ?? "{}") as Omit<Outbox, "updates" | "offer">;
  const updates = Object.entries(tensors).flatMap(([name, { values }]) =>
    name.startsWith(SENT) ? [{ place: Number(name.slice(SENT.length)), bytes: values as Uint8Array }] : [],
  );
  const rest = Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith(SENT) && name !== OFFER));
  return {
    state: { metadata, tensors: rest },
    outbox: {
      firstEvent,
      events,
      offer: tensors[OFFER]?.values as Uint8Array | undefined,
      updates: updates.sort((one, other) => one.place - other.place).map(({ bytes }) => bytes),
    },
  };
}
