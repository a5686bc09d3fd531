/**
 * Records of a fleet in its store, as JSON, so that `nats kv get` shows them: present nodes, desired runs with their
 * placement, and progress. The run's record is the desired state; nodes reconcile with it.
 */
import { z } from "zod";
import type { KeyValue } from "../runtime/store/index.ts";
import { RUN_PHASES, runSpecSchema } from "../run-spec/index.ts";
import { type Records, recordsOf } from "./record-bucket.ts";

/** Buckets. Presence and leases expire, the rest stays. */
export const NODES_BUCKET = "kn-nodes";
export const RUNS_BUCKET = "kn-runs";
export const STATUS_BUCKET = "kn-status";
export const LEASES_BUCKET = "kn-leases";
export const FENCES_BUCKET = "kn-fences";
/** A node or an actor without a heartbeat for so long is gone, ms: three heartbeats. */
export const PRESENCE_TTL_MS = 6_000;

/** Version of subjects and messages, `kn.v1`, and of everything that must be equal on all nodes of a run. */
export const WIRE_VERSION = 5;

const count = z.int().min(0);

export const nodeRecordSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  /** Distinguishes the processes of one node. */
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
  /** State of the node, and of each slot by `<run>.<actor>`; rewritten at each renewal. */
  state: z.string().optional(),
  slots: z.record(z.string(), z.string()).optional(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

const sliceSchema = z.object({
  inputShape: z.array(count),
  outputShape: z.array(count),
  layers: z.array(z.string()),
  parameters: count,
  macs: count,
});
export const phaseNameSchema = z.enum(RUN_PHASES);
const phaseSchema = z.object({
  phase: phaseNameSchema,
  epochs: count,
  totalSteps: count,
  /** Sequence after which it begins. */
  startAfter: count,
});
export type PhaseEntry = z.infer<typeof phaseSchema>;
const savedAtSchema = z.object({ attempt: z.int().min(1), generation: z.int().min(1) });

export const runRecordSchema = z.object({
  format: z.literal(1),
  run: z.string(),
  wireVersion: count,
  /** Desired state. `stopping`: saved first; `ended`: nodes release it. */
  desired: z.enum(["running", "stopping", "ended"]),
  spec: runSpecSchema,
  slices: z.array(sliceSchema),
  teacherSlices: z.array(sliceSchema),
  /** Phases in order, and the current one. */
  phases: z.array(phaseSchema).min(1),
  phase: phaseNameSchema,
  /** Fingerprint of the data that the feeder must have. */
  dataset: z.string(),
  attempt: z.int().min(1),
  from: savedAtSchema.optional(),
  /** Node of each actor, coordinator included. */
  actors: z.record(z.string(), z.string()),
  createdAt: z.string(),
});
export type RunRecordEntry = z.infer<typeof runRecordSchema>;

export const nodeRecords = (kv: KeyValue): Records<NodeRecord> => recordsOf(kv, nodeRecordSchema);
/** The current phase of a run. */
export function phaseOf({ phases, phase }: RunRecordEntry): PhaseEntry {
  const found = phases.find((each) => each.phase === phase);
  if (found !== undefined) return found;
  throw new RangeError(`a run has no phase ${phase}`);
}

export const runRecords = (kv: KeyValue): Records<RunRecordEntry> => recordsOf(kv, runRecordSchema);
