/**
 * What a fleet keeps in its store, as JSON, so that `nats kv get` shows it: who is there, what shall run where, and how far
 * it is. Wanted state is in the run's record; nodes make it so.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import type { KeyValue, KvEntry } from "../runtime/store/index.ts";
import { RUN_PHASES, runSpecSchema } from "../run-spec/index.ts";

/** Buckets. Presence and leases expire, the rest stays. */
export const NODES_BUCKET = "kn-nodes";
export const RUNS_BUCKET = "kn-runs";
export const STATUS_BUCKET = "kn-status";
export const LEASES_BUCKET = "kn-leases";
export const FENCES_BUCKET = "kn-fences";
/** A node or an actor that has not been heard of for so long is gone, ms: three lost heartbeats. */
export const PRESENCE_TTL_MS = 6_000;

/** Generation of subjects and messages, `kn.v1`, and of what may not differ between nodes of one run. */
export const WIRE_VERSION = 5;

const count = z.int().min(0);

export const nodeRecordSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  /** Tells the lives of one node apart. */
  instance: z.string(),
  labels: z.record(z.string(), z.string()),
  /** "native", "wasm" or "cpu", and its version. */
  backend: z.string(),
  backendVersion: z.string(),
  cores: count,
  memoryBytes: count,
  /** Measured with a matrix product in f32. */
  gflops: z.number().min(0),
  softwareVersion: z.string(),
  wireVersion: count,
  host: z.string(),
  pid: count,
  startedAt: z.string(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

const sliceSchema = z.object({
  inputShape: z.array(count),
  outputShape: z.array(count),
  layers: z.array(z.string()),
  parameters: count,
  macs: count,
});
const phaseNameSchema = z.enum(RUN_PHASES);
const phaseSchema = z.object({
  phase: phaseNameSchema,
  epochs: count,
  totalSteps: count,
  /** Sequence after which it begins. */
  startAfter: count,
});
export type PhaseEntry = z.infer<typeof phaseSchema>;
const savedAtSchema = z.object({ timeline: z.int().min(1), generation: z.int().min(1) });

export const runRecordSchema = z.object({
  format: z.literal(1),
  run: z.string(),
  wireVersion: count,
  /** What is wanted. `stopping`: saved first; `ended`: nodes let go of it. */
  desired: z.enum(["running", "stopping", "ended"]),
  spec: runSpecSchema,
  slices: z.array(sliceSchema),
  teacherSlices: z.array(sliceSchema),
  /** What it goes through, in order, and where it stands. */
  phases: z.array(phaseSchema).min(1),
  phase: phaseNameSchema,
  /** Of the data that the feeder must have. */
  dataset: z.string(),
  timeline: z.int().min(1),
  from: savedAtSchema.optional(),
  /** Node of each actor, coordinator included. */
  actors: z.record(z.string(), z.string()),
  createdAt: z.string(),
});
export type RunRecordEntry = z.infer<typeof runRecordSchema>;

const progressSchema = z.object({
  kind: z.literal("Progress"),
  consumed: count,
  applied: count,
  loss: z.number().optional(),
  stalenessSteps: count,
  quality: z.object({ cosine: z.number(), relativeError: z.number(), updates: count }).optional(),
  computeMs: z.number(),
  receivedBytes: count,
  drops: z.record(z.string(), count),
  skipped: z.record(z.string(), count),
  pending: count,
  sentBytes: z.record(z.string(), count),
  step: count,
  hintLoss: z.number().optional(),
  cache: z.record(z.string(), count).optional(),
});
const recordSchema = z.object({
  evaluations: z.array(
    z.object({
      evaluation: count,
      step: count,
      samples: count,
      accuracy: z.number(),
      loss: z.number(),
      agreement: z.number().optional(),
      teacherAccuracy: z.number().optional(),
      atMs: z.number(),
    }),
  ),
  switches: z.array(z.object({ actor: z.string(), step: count, from: z.string(), to: z.string(), reason: z.string() })),
  teachers: z.array(z.object({ actor: z.string(), step: count, from: count, to: count })),
  progress: z.record(z.string(), progressSchema),
  epochs: count,
  step: count,
  generation: count,
});
const runStatusSchema = z.object({
  format: z.literal(1),
  run: z.string(),
  timeline: z.int().min(1),
  phase: phaseNameSchema,
  /** Phases that are behind it. */
  done: z.array(z.object({ phase: phaseNameSchema, seconds: z.number().min(0), record: recordSchema })),
  /** State of the coordinator's chart. */
  state: z.string(),
  outcome: z.enum(["completed", "stopped", "failed"]).optional(),
  error: z.string().optional(),
  /** Node of the coordinator. */
  coordinator: z.string(),
  /** Training steps published to the first block. */
  published: count,
  record: recordSchema,
  /** Since the first batch of this timeline, s. */
  seconds: z.number().min(0),
  startedAt: z.string(),
  updatedAt: z.string(),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

/** A bucket whose values are records of one schema. A value that does not parse reads as absent. */
export interface Records<T> {
  readonly kv: KeyValue;
  get(key: string): Promise<{ readonly value: T; readonly revision: number } | undefined>;
  parse(entry: KvEntry): T | undefined;
  all(): Promise<T[]>;
  put(key: string, value: T): Promise<number>;
  /** Writes only when there is none. Rejects with KN_FENCED when there is. */
  create(key: string, value: T): Promise<number>;
  /**
   * Reads, changes, writes, and again when somebody else wrote meanwhile. `change` gives undefined to leave it as it is.
   * Rejects with KN_CONFIG when there is no record.
   */
  change(key: string, change: (value: T) => T | undefined): Promise<T>;
}

export function recordsOf<T>(kv: KeyValue, schema: z.ZodType<T>): Records<T> {
  const parse = ({ value }: KvEntry): T | undefined => {
    try {
      return schema.safeParse(JSON.parse(new TextDecoder().decode(value))).data;
    } catch {
      return undefined;
    }
  };
  const encode = (value: T): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const get = async (key: string): Promise<{ value: T; revision: number } | undefined> => {
    const entry = await kv.get(key);
    const value = entry === undefined ? undefined : parse(entry);
    return entry === undefined || value === undefined ? undefined : { value, revision: entry.revision };
  };
  return {
    kv,
    parse,
    get,
    async all() {
      const found = await Promise.all((await kv.keys()).map(get));
      return found.flatMap((each) => (each === undefined ? [] : [each.value]));
    },
    put: (key, value) => kv.put(key, encode(value)),
    create: (key, value) => kv.create(key, encode(value)),
    async change(key, change) {
      for (;;) {
        const found = await get(key);
        if (found === undefined) {
          throw new KnowledgeNetError("KN_CONFIG", {
            attempt: `change ${key}`,
            rule: `${kv.bucket} must have it`,
            value: "absent",
            remedy: "`kn runs` and `kn nodes` list what is there",
          });
        }
        const changed = change(found.value);
        if (changed === undefined) return found.value;
        try {
          await kv.update(key, encode(changed), found.revision);
          return changed;
        } catch (error) {
          if (!(error instanceof KnowledgeNetError) || error.code !== "KN_FENCED") throw error;
        }
      }
    },
  };
}

export const nodeRecords = (kv: KeyValue): Records<NodeRecord> => recordsOf(kv, nodeRecordSchema);
/** The phase that a run is in. */
export function phaseOf({ phases, phase }: RunRecordEntry): PhaseEntry {
  const found = phases.find((each) => each.phase === phase);
  if (found !== undefined) return found;
  throw new RangeError(`a run has no phase ${phase}`);
}

export const runRecords = (kv: KeyValue): Records<RunRecordEntry> => recordsOf(kv, runRecordSchema);
export const statusRecords = (kv: KeyValue): Records<RunStatus> => recordsOf(kv, runStatusSchema);
