/** Real messages, and arbitrary ones, that the tests of this folder share. */
import fc from "fast-check";
import {
  type Activation,
  type Command,
  type CommandReply,
  type Event,
  type Gradient,
  type Header,
  type InferReply,
  type InferRequest,
  type Progress,
  type StageBatch,
  type StageResult,
  type TensorCodec,
  type TensorView,
} from "../../../src/messages/index.ts";

export const CODECS = [
  "raw",
  "bf16",
  "int8-channel",
  "int8-block",
  "int8-sample",
] as const satisfies readonly TensorCodec[];

export const header: Header = { run: "demo", sender: "block-0", sequence: 7, step: 6, version: 5, fence: 2 };

/** f32 values in `shape`, spread over both signs, the same each time. */
export function floats(shape: readonly number[], scale = 1): TensorView & { readonly dtype: "f32" } {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return {
    dtype: "f32",
    shape,
    values: Float32Array.from({ length: elements }, (_, index) => Math.sin(index * 1.7) * scale),
  };
}

export function labels(batch: number): TensorView & { readonly dtype: "i32" } {
  return { dtype: "i32", shape: [batch], values: Int32Array.from({ length: batch }, (_, index) => index % 10) };
}

export function activation(changes: Partial<Activation> = {}): Activation {
  return { header, phase: "train", tensor: floats([4, 3, 5]), labels: labels(4), evaluation: 0, ...changes };
}

/** Of a distillation run: with the names of its samples, two of them without a label. */
export function provenanceActivation(changes: Partial<Activation> = {}): Activation {
  const values = Int32Array.of(3, -1, 0, -1);
  return activation({
    labels: { dtype: "i32", shape: [4], values },
    provenance: { samples: [0, 7, 2 ** 32 - 1, 59_999], view: 11, seed: 2 ** 32 - 1, teacher: 3 },
    ...changes,
  });
}

export function gradient(changes: Partial<Gradient> = {}): Gradient {
  return { header, origin: "true", tensor: floats([4, 6], 1e-3), ...changes };
}

export const progress: Progress = {
  kind: "Progress",
  consumed: 12,
  applied: 9,
  loss: 0.25,
  stalenessSteps: 3,
  quality: { cosine: 0.75, relativeError: 0.5, updates: 8 },
  computeMs: 1.5,
  receivedBytes: 4096,
  drops: { duplicate: 2, stale: 1 },
  skipped: { restarted: 2 },
  pending: 1,
  sentBytes: { act: 70_000, grad: 65_536 },
  step: 12,
};

const evaluation = { kind: "EvaluationMeasured", evaluation: 2, correct: 98, samples: 100, lossSum: 7.25 } as const;
const saved = {
  kind: "CheckpointSaved",
  name: "demo.block-0.3",
  digest: "0123456789abcdef".repeat(4),
  sizeBytes: 1024,
} as const;
const failure = {
  kind: "Failure",
  code: "KN_NUMERIC",
  message: "KN_NUMERIC: Cannot go on",
  directive: "restart",
} as const;

export const facts: readonly Event["fact"][] = [
  progress,
  evaluation,
  { kind: "StateEntered", state: "running.idle" },
  failure,
  saved,
  { kind: "FeederMark", mark: "evaluation-published", epoch: 1, evaluation: 2, evaluationSamples: 500 },
  { ...evaluation, agreeing: 97, teacherCorrect: 99 },
  { ...progress, hintLoss: 0.125, cache: { hits: 100, misses: 28, saved_macs: 2 ** 40 } },
  {
    kind: "ReplicaState",
    instance: "i1",
    slice: 1,
    slices: 4,
    state: "ready.idle",
    held: [
      { release: 7, state: "ready" },
      { release: 8, state: "loading" },
      {
        release: 6,
        state: "refused",
        failure: { kind: "Failure", code: "KN_NUMERIC", message: "KN_NUMERIC: not finite", directive: "restart" },
      },
    ],
    inFlight: 3,
    host: "edge-1.local",
  },
  { kind: "TeacherChanged", from: 1, to: 2 },
  { kind: "SourceSwitched", from: "synthetic", to: "auxiliary", reason: "mean cosine 0.12 is below 0.15" },
];

export const commands: readonly Command[] = [
  { kind: "StartFeeding" },
  { kind: "PauseFeeding" },
  { kind: "SaveCheckpoint", generation: 3 },
  { kind: "PrepareCheckpoint", generation: 400 },
  { kind: "AbandonCheckpoint", generation: 400 },
  { kind: "StopActor" },
  { kind: "ReportState" },
  { kind: "UseTeacher", version: 2 },
];

export const replies: readonly CommandReply[] = [
  { kind: "Done" },
  saved,
  failure,
  { kind: "ActorState", state: "running.idle", progress, evaluation },
];

/** Integers that a uint64 carries here, the edges often. */
export const anyCount = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

export const anyToken = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

export const anyRun = anyToken.filter((token) => !["node", "infer", "observe", "update"].includes(token));

export const anyHeader: fc.Arbitrary<Header> = fc.record(
  { run: anyRun, sender: anyToken, sequence: anyCount, step: anyCount, version: anyCount, fence: anyCount },
  { noNullPrototype: true },
);

/** Finite f32 values of every magnitude that all codecs take, subnormals and zeros of both signs included. */
export const anyValue = fc.oneof(
  { weight: 4, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }) },
  {
    weight: 1,
    arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-3e38), max: Math.fround(3e38) }),
  },
);

/** A batch of 1 to 6 samples at a boundary of up to three axes. */
export const anyFloats: fc.Arbitrary<TensorView & { readonly dtype: "f32" }> = fc
  .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
  .chain((shape) => {
    const elements = shape.reduce((product, extent) => product * extent, 1);
    return fc
      .array(anyValue, { minLength: elements, maxLength: elements })
      .map((values) => ({ dtype: "f32" as const, shape, values: new Float32Array(values) }));
  });

export const stageBatch: StageBatch = {
  batch: 12,
  release: 3,
  remainingMs: 250,
  route: ["replica-1", "replica-2-4"],
  gateway: "gateway-0",
  tensor: floats([4, 3, 5]),
  computeUs: [1200],
  nonFinite: [2],
};

const notLoaded = { kind: "Failure", code: "KN_STALE", message: "KN_STALE: not loaded", directive: "resume" } as const;
const ofBatch = { batch: 12, release: 3, sender: "replica-2-4", computeUs: [1200, 900, 100] } as const;

export const stageResults: readonly StageResult[] = [
  { ...ofBatch, outcome: { kind: "logits", logits: floats([4, 10]) }, nonFinite: [0, 3] },
  { ...ofBatch, outcome: notLoaded, nonFinite: [] },
  {
    ...{ ...ofBatch, outcome: { kind: "logits", logits: floats([4, 10]) }, nonFinite: [] },
    activations: [floats([4, 3, 2]), floats([4, 5])],
  },
];

export const inferRequest: InferRequest = {
  id: "a1",
  release: 0,
  remainingMs: 100,
  priority: "bulk",
  client: "camera",
  input: { dtype: "u8", shape: [2, 3], values: Uint8Array.of(1, 2, 3, 4, 5, 6) },
};

export const inferReplies: readonly InferReply[] = [
  { id: "a1", outcome: { kind: "logits", release: 3, batch: 8, logits: floats([2, 10]) } },
  { id: "a1", outcome: { kind: "refused", failure: notLoaded, retryAfterMs: 40 } },
];
