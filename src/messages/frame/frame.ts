/**
 * The messages that carry tensors; each is a Frame. Encoders and decoder refuse the same messages. The decoder accepts
 * any bytes and returns a valid message or throws, in time and memory bounded by `DecodeLimits`.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type ActivationFields,
  type FrameFields,
  type GapFields,
  type GradientFields,
  type BatchProvenanceFields,
  wire,
} from "../generated/knowledgenet.ts";
import { type EncodedRows, prepareRows } from "../tensor/encoded-rows.ts";
import {
  type PreparedTensor,
  prepareTensor,
  readTensor,
  type TensorCodec,
  type TensorLimits,
} from "../tensor/tensor-codec.ts";
import { alignedBytes, bytesOf, type TensorView } from "../tensor/tensor-view.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readWord } from "../wire/fields.ts";
import { type Header, readHeader, writeCount, writeHeader } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { type Chunk, readChunk } from "./chunk.ts";
import { DEFAULT_MAX_FRAME_BYTES } from "./frame-size.ts";
import { writeFrame } from "./frame-writer.ts";
import { readStageBatch, readStageResult, type StageBatch, type StageResult } from "./stage.ts";

const PHASES = {
  train: wire.Phase.PHASE_TRAIN,
  evaluate: wire.Phase.PHASE_EVALUATE,
  recalibrate: wire.Phase.PHASE_RECALIBRATE,
} as const;
const ORIGINS = {
  true: wire.GradientOrigin.GRADIENT_ORIGIN_TRUE,
  bootstrapped: wire.GradientOrigin.GRADIENT_ORIGIN_BOOTSTRAPPED,
  synthetic: wire.GradientOrigin.GRADIENT_ORIGIN_SYNTHETIC,
} as const;

/** Use of a batch: forward, backward and update; forward only; or forward for the statistics of batch norm. */
export type Phase = keyof typeof PHASES;

/** Origin of a gradient: the loss; a block that was itself updated with a prediction; a gradient model. */
export type GradientOrigin = keyof typeof ORIGINS;

/** Provenance of a batch: its samples, their view and the version of the teacher; every field as in training.proto. */
export interface BatchProvenance {
  /** [batch] */
  readonly samples: readonly number[];
  readonly view: number;
  readonly seed: number;
  readonly teacher: number;
}

/** A batch at a boundary, with its labels. */
export interface Activation {
  readonly header: Header;
  readonly phase: Phase;
  /** [batch, ...boundary shape]. */
  readonly tensor: TensorView;
  /** [batch] i32, 0 or more; -1: unlabelled, with a provenance only. */
  readonly labels: TensorView;
  /** Which evaluation, counted from 1; 0 in training. */
  readonly evaluation: number;
  /** Of a distillation run. */
  readonly provenance?: BatchProvenance;
}

/** The gradient of the summed loss by the activation at a boundary, per sample. */
export interface Gradient {
  /** `sequence` and `step` are those of the activation that it belongs to. */
  readonly header: Header;
  readonly origin: GradientOrigin;
  /** [batch, ...boundary shape]. */
  readonly tensor: TensorView;
}

/** Sequences that will not arrive: from `first` to that of the header, whose step is 0 where it is unknown. */
export interface Gap {
  readonly header: Header;
  /** 1 to the header's sequence. */
  readonly first: number;
}

export type Frame =
  | { readonly kind: "activation"; readonly activation: Activation }
  | { readonly kind: "gradient"; readonly gradient: Gradient }
  | { readonly kind: "chunk"; readonly chunk: Chunk }
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "stageBatch"; readonly batch: StageBatch }
  | { readonly kind: "stageResult"; readonly result: StageResult };

export interface DecodeLimits extends TensorLimits {
  /** Size of the message, bytes. @default 64 MiB */
  readonly maxBytes?: number;
  /** Refuses what is more than `span` steps older than step `newest`. @default nothing is too old */
  readonly stepWindow?: { readonly newest: number; readonly span: number };
}

const ATTEMPT = "decode a frame";

/** Label of an unlabelled sample. */
const UNLABELLED = -1;

/**
 * @param codec of the tensor; labels are always raw.
 * @throws KnowledgeNetError KN_NUMERIC on a value that is not finite or too large for the codec; TypeError, RangeError
 * on an invalid activation: the sender has a bug.
 */
export function encodeActivation(activation: Activation, codec: TensorCodec): Uint8Array {
  return encodePrepared(activation, activation.tensor.shape[0], prepareTensor(activation.tensor, codec));
}

/**
 * An activation whose tensor is already encoded, sample by sample (tensor/encoded-rows.ts).
 * @throws TypeError, RangeError as `encodeActivation`.
 */
export function encodeActivationOfRows(activation: Omit<Activation, "tensor">, rows: EncodedRows): Uint8Array {
  return encodePrepared(activation, rows.count, prepareRows(rows));
}

function encodePrepared(
  { header, phase, labels, evaluation, provenance }: Omit<Activation, "tensor">,
  batch: number | undefined,
  tensor: PreparedTensor,
): Uint8Array {
  if (
    labels.dtype !== "i32" ||
    labels.shape.length !== 1 ||
    labels.shape[0] !== batch ||
    labels.values.length !== batch
  ) {
    throw new RangeError(
      `Cannot encode an activation as its labels must be i32 [${batch ?? "batch"}]: [${labels.shape.join(", ")}]`,
    );
  }
  if ((phase === "evaluate") !== evaluation > 0) {
    throw new RangeError(`Cannot encode an activation to ${phase} with evaluation ${evaluation}`);
  }
  if (provenance !== undefined && provenance.samples.length !== batch) {
    throw new RangeError(`Cannot encode an activation of ${batch} samples with ${provenance.samples.length} ids`);
  }
  const rest = wire.Activation.encode({
    header: writeHeader(header),
    phase: PHASES[phase],
    labels: {
      dtype: wire.DType.DTYPE_I32,
      shape: labels.shape,
      codec: wire.Codec.CODEC_RAW,
      data: bytesOf(labels.values),
    },
    evaluation: writeCount("evaluation", evaluation),
    ...(provenance === undefined ? {} : { provenance: writeProvenance(provenance) }),
  }).finish();
  return writeFrame({ contentField: 1, rest, tensorField: 3, tensor });
}

/** @throws as `encodeActivation`. */
export function encodeGradient({ header, origin, tensor }: Gradient, codec: TensorCodec): Uint8Array {
  if (tensor.dtype !== "f32") throw new TypeError(`Cannot encode a gradient of ${tensor.dtype}: it must be f32`);
  const rest = wire.Gradient.encode({ header: writeHeader(header), origin: ORIGINS[origin] }).finish();
  return writeFrame({ contentField: 2, rest, tensorField: 3, tensor: prepareTensor(tensor, codec) });
}

/** @throws RangeError on an invalid gap: the sender has a bug. */
export function encodeGap({ header, first }: Gap): Uint8Array {
  if (first < 1 || first > header.sequence) {
    throw new RangeError(`Cannot encode a gap from ${first} to ${header.sequence}`);
  }
  return wire.Frame.encode({ gap: { header: writeHeader(header), first: writeCount("first", first) } }).finish();
}

/**
 * Reads any frame. `raw` tensors and the parts of a chunk may be views on `data`: copy them to keep them.
 * @throws KnowledgeNetError KN_DECODE on anything that is not a valid frame; KN_STALE on one outside the step window.
 */
export function decodeFrame(data: Uint8Array, limits: DecodeLimits = {}): Frame {
  const { maxBytes = DEFAULT_MAX_FRAME_BYTES } = limits;
  return decodeWire(wire.Frame, data, { attempt: ATTEMPT, maxBytes }, (fields) => readFrame(fields, limits));
}

function readFrame(fields: FrameFields, limits: DecodeLimits): Frame {
  const { activation, gradient, chunk, gap, stageBatch, stageResult } = fields;
  if (activation) return { kind: "activation", activation: readActivation(activation, limits) };
  if (gradient) return { kind: "gradient", gradient: readGradient(gradient, limits) };
  if (chunk) return { kind: "chunk", chunk: readChunk(ATTEMPT, chunk) };
  if (gap) return { kind: "gap", gap: readGap(gap, limits) };
  if (stageBatch) return { kind: "stageBatch", batch: readStageBatch(stageBatch, limits) };
  if (stageResult) return { kind: "stageResult", result: readStageResult(stageResult, limits) };
  throw refusal(ATTEMPT, "it must have a known content", "none");
}

function readActivation(fields: ActivationFields, limits: DecodeLimits): Activation {
  const header = readFreshHeader(fields, limits);
  const phase = readWord(ATTEMPT, "phase", fields.phase, PHASES);
  const evaluation = readCount(ATTEMPT, "evaluation", fields.evaluation);
  if ((phase === "evaluate") !== evaluation > 0) {
    throw refusal(ATTEMPT, "evaluation must be 1 or more in evaluation and 0 otherwise", evaluation);
  }
  const provenance = readProvenance(fields.provenance);
  const least = provenance === undefined ? 0 : UNLABELLED;
  const labels = readTensor(ATTEMPT, fields.labels, limits);
  if (labels.dtype !== "i32" || labels.shape.length !== 1 || labels.values.some((label) => label < least)) {
    throw refusal(
      ATTEMPT,
      `labels must be i32 [batch], each ${least} or more`,
      `${labels.dtype} [${labels.shape.join(", ")}]`,
    );
  }
  const tensor = readTensor(ATTEMPT, fields.tensor, limits);
  if (tensor.shape[0] !== labels.shape[0]) {
    throw refusal(
      ATTEMPT,
      "there must be a label for each sample",
      `[${tensor.shape.join(", ")}] and [${labels.shape.join(", ")}]`,
    );
  }
  if (provenance !== undefined && provenance.samples.length !== labels.shape[0]) {
    throw refusal(ATTEMPT, `there must be an id for each of ${labels.shape[0]} samples`, provenance.samples.length);
  }
  return { header, phase, tensor, labels, evaluation, ...(provenance === undefined ? {} : { provenance }) };
}

function readProvenance(fields: BatchProvenanceFields | null | undefined): BatchProvenance | undefined {
  if (fields === null || fields === undefined) return undefined;
  return {
    samples: readIds(fields.samples ?? new Uint8Array(0)),
    view: readCount(ATTEMPT, "view", fields.view),
    seed: readCount(ATTEMPT, "seed", fields.seed),
    teacher: readCount(ATTEMPT, "teacher", fields.teacher),
  };
}

function readIds(bytes: Uint8Array): number[] {
  if (bytes.byteLength % 4 !== 0) throw refusal(ATTEMPT, "ids must take 4 bytes each", `${bytes.byteLength} bytes`);
  const { buffer, byteOffset, byteLength } = alignedBytes(bytes);
  return Array.from(new Uint32Array(buffer, byteOffset, byteLength / 4));
}

/** @throws RangeError on values that every receiver refuses. */
function writeProvenance({ samples, view, seed, teacher }: BatchProvenance): BatchProvenanceFields {
  if (!samples.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32)) {
    throw new RangeError("Cannot encode a provenance: every id must be an integer from 0 to 2^32 - 1");
  }
  return {
    samples: bytesOf(Uint32Array.from(samples)),
    view: writeCount("view", view),
    seed: writeCount("seed", seed),
    teacher: writeCount("teacher", teacher),
  };
}

function readGradient(fields: GradientFields, limits: DecodeLimits): Gradient {
  const header = readFreshHeader(fields, limits);
  const origin = readWord(ATTEMPT, "origin", fields.origin, ORIGINS);
  const tensor = readTensor(ATTEMPT, fields.tensor, limits);
  if (tensor.dtype !== "f32") throw refusal(ATTEMPT, "a gradient must be f32", tensor.dtype);
  return { header, origin, tensor };
}

function readGap(fields: GapFields, limits: DecodeLimits): Gap {
  const header = readFreshHeader(fields, limits);
  const first = readCount(ATTEMPT, "first", fields.first);
  if (first < 1 || first > header.sequence) {
    throw refusal(ATTEMPT, `first must be 1 to sequence ${header.sequence}`, first);
  }
  return { header, first };
}

/** The header first: a stale message is refused before its tensor is read. */
function readFreshHeader(fields: Pick<GradientFields, "header">, { stepWindow }: DecodeLimits): Header {
  const header = readHeader(ATTEMPT, fields.header);
  if (stepWindow !== undefined && header.step < stepWindow.newest - stepWindow.span) {
    throw new KnowledgeNetError("KN_STALE", {
      attempt: "take a frame",
      rule: `it must be at most ${stepWindow.span} steps older than step ${stepWindow.newest}`,
      value: `step ${header.step} from ${header.sender}`,
    });
  }
  return header;
}
