/** A batch of inference on its way through the slices of a network, and its result; each is the content of a Frame. */
import { type StageBatchFields, type StageResultFields, type TensorFields, wire } from "../generated/knowledgenet.ts";
import { type Failure, readFailure, writeFailure } from "../control/failure.ts";
import { rawTensor } from "../tensor/raw-tensor.ts";
import { prepareTensor, readTensor, type TensorLimits } from "../tensor/tensor-codec.ts";
import type { TensorView } from "../tensor/tensor-view.ts";
import { readCount, readToken } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { writeFrame } from "./frame-writer.ts";

/** Slices of a network at most: a route beyond is refused. */
const MAX_SLICES = 64;
/** Samples of a batch at most. */
export const MAX_BATCH_SAMPLES = 256;

/** Every field as in serving.proto. */
export interface StageBatch {
  readonly batch: number;
  readonly release: number;
  readonly remainingMs: number;
  /** Actors that compute the slices after this one. */
  readonly route: readonly string[];
  readonly gateway: string;
  /** [n, ...slice input]; f32, or u8 at the network's input. */
  readonly tensor: TensorView;
  /** Of the slices before, microseconds. */
  readonly computeUs: readonly number[];
  /** Samples without a finite activation, zero in `tensor`. */
  readonly nonFinite: readonly number[];
  /** f32 [n, ...] each, of the slices before; undefined: the result is to bring none. */
  readonly activations?: readonly TensorView[];
}

export interface StageResult {
  readonly batch: number;
  readonly release: number;
  readonly sender: string;
  /** f32 [n, classes], or why there is none. */
  readonly outcome: { readonly kind: "logits"; readonly logits: TensorView } | Failure;
  readonly nonFinite: readonly number[];
  readonly computeUs: readonly number[];
  /** f32 [n, ...] each, of the slices before the last; undefined: they were not wanted, or there are none. */
  readonly activations?: readonly TensorView[];
}

const ATTEMPT = "decode a batch of inference";

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError on an invalid batch. */
export function encodeStageBatch(batch: StageBatch): Uint8Array {
  const { tensor, route, gateway, computeUs, nonFinite, activations } = batch;
  const rest = wire.StageBatch.encode({
    batch: writeCount("batch", batch.batch),
    release: writeCount("release", batch.release),
    remainingMs: writeCount("remainingMs", Math.max(0, Math.floor(batch.remainingMs))),
    route,
    gateway,
    computeUs,
    nonFinite,
    ...(activations === undefined ? {} : { wantsActivations: true, activations: activations.map(rawTensor) }),
  }).finish();
  return writeFrame({ contentField: 5, rest, tensorField: 6, tensor: prepareTensor(tensor, "raw") });
}

/** @throws as `encodeStageBatch`. */
export function encodeStageResult({ outcome, ...result }: StageResult): Uint8Array {
  const { sender, nonFinite, computeUs, activations = [] } = result;
  const fields: StageResultFields = {
    batch: writeCount("batch", result.batch),
    release: writeCount("release", result.release),
    sender,
    nonFinite,
    computeUs,
  };
  if (outcome.kind === "Failure")
    return wire.Frame.encode({ stageResult: { ...fields, failure: writeFailure(outcome) } }).finish();
  const rest = wire.StageResult.encode({ ...fields, activations: activations.map(rawTensor) }).finish();
  return writeFrame({ contentField: 6, rest, tensorField: 4, tensor: prepareTensor(outcome.logits, "raw") });
}

/** @throws KnowledgeNetError KN_DECODE. */
export function readStageBatch(fields: StageBatchFields, limits: TensorLimits): StageBatch {
  const route = fields.route ?? [];
  if (route.length > MAX_SLICES) throw refusal(ATTEMPT, `a route must have at most ${MAX_SLICES} actors`, route.length);
  const tensor = readTensor(ATTEMPT, fields.tensor, limits);
  const n = samplesOf(tensor);
  return {
    batch: readCount(ATTEMPT, "batch", fields.batch),
    release: readRelease(fields.release),
    remainingMs: readCount(ATTEMPT, "remaining_ms", fields.remainingMs),
    route: route.map((actor) => readToken(ATTEMPT, "route", actor)),
    gateway: readToken(ATTEMPT, "gateway", fields.gateway),
    tensor,
    computeUs: readTimes(fields.computeUs),
    nonFinite: readRows(fields.nonFinite, n),
    ...(fields.wantsActivations === true ? { activations: readActivations(fields.activations, n, limits) } : {}),
  };
}

/** @throws KnowledgeNetError KN_DECODE. */
export function readStageResult(fields: StageResultFields, limits: TensorLimits): StageResult {
  const common = {
    batch: readCount(ATTEMPT, "batch", fields.batch),
    release: readRelease(fields.release),
    sender: readToken(ATTEMPT, "sender", fields.sender),
    computeUs: readTimes(fields.computeUs),
  };
  if (fields.failure) return { ...common, outcome: readFailure(ATTEMPT, fields.failure), nonFinite: [] };
  const logits = readTensor(ATTEMPT, fields.logits, limits);
  if (logits.dtype !== "f32") throw refusal(ATTEMPT, "logits must be f32", logits.dtype);
  const n = samplesOf(logits);
  const activations = readActivations(fields.activations, n, limits);
  return {
    ...common,
    outcome: { kind: "logits", logits },
    nonFinite: readRows(fields.nonFinite, n),
    ...(activations.length === 0 ? {} : { activations }),
  };
}

function readActivations(
  list: readonly TensorFields[] | null | undefined,
  n: number,
  limits: TensorLimits,
): readonly TensorView[] {
  const all = list ?? [];
  if (all.length > MAX_SLICES) throw refusal(ATTEMPT, `at most ${MAX_SLICES} slices must compute`, all.length);
  return all.map((fields) => {
    const tensor = readTensor(ATTEMPT, fields, limits);
    if (tensor.dtype === "f32" && tensor.shape.length >= 2 && tensor.shape[0] === n) return tensor;
    throw refusal(ATTEMPT, `an activation must be f32 [${n}, ...]`, `${tensor.dtype} [${tensor.shape.join(", ")}]`);
  });
}

function samplesOf({ shape, dtype }: TensorView): number {
  const n = shape[0] ?? 0;
  if (shape.length >= 2 && n <= MAX_BATCH_SAMPLES && dtype !== "i32") return n;
  throw refusal(
    ATTEMPT,
    `a batch must be f32 or u8 [n, ...] of at most ${MAX_BATCH_SAMPLES} samples`,
    `${dtype} [${shape.join(", ")}]`,
  );
}

function readRelease(value: number | null | undefined): number {
  const release = readCount(ATTEMPT, "release", value);
  if (release < 1) throw refusal(ATTEMPT, "releases must count from 1", release);
  return release;
}

function readTimes(values: readonly number[] | null | undefined): readonly number[] {
  const times = values ?? [];
  if (times.length > MAX_SLICES) throw refusal(ATTEMPT, `at most ${MAX_SLICES} slices must compute`, times.length);
  return times;
}

function readRows(values: readonly number[] | null | undefined, n: number): readonly number[] {
  const rows = values ?? [];
  const outside = rows.find((row) => row >= n);
  if (outside !== undefined || rows.length > n)
    throw refusal(ATTEMPT, `a sample must be one of the ${n} in the batch`, outside ?? rows.length);
  return rows;
}
