/** An update of a served model; every field as ModelUpdate in update.proto. */
import { type ModelUpdateFields, type TensorUpdateFields, wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readToken, readWord } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { type CodedTensor, decodeTensor, type TensorChange, type TensorSelection } from "./coded-tensor.ts";
import { bytesOfDigest, hexOfDigest } from "./digest.ts";

/** The weights of a model under a number. */
export interface NumberedWeights {
  /** From 1. */
  readonly number: number;
  /** SHA-256 of the tensors, lower-case hex. */
  readonly digest: string;
}

export type UpdateKind = "masked" | "channels" | "batch-norm" | "full" | "restore";

export interface ModelUpdate {
  readonly model: string;
  readonly kind: UpdateKind;
  /** What it makes. */
  readonly result: NumberedWeights;
  /** What it applies to. Absent exactly of a full one. */
  readonly base?: NumberedWeights;
  /** By ascending `tensor`. */
  readonly tensors: readonly CodedTensor[];
}

/** Tensors of a model: what a network of some hundred layers has. */
const MAX_TENSORS = 2048;
/** Fields of all of them, and room for fields that later versions add. */
const MAX_FIELDS = 16 * MAX_TENSORS;

const KINDS = {
  masked: wire.UpdateKind.UPDATE_KIND_MASKED,
  channels: wire.UpdateKind.UPDATE_KIND_CHANNELS,
  "batch-norm": wire.UpdateKind.UPDATE_KIND_BATCH_NORM,
  full: wire.UpdateKind.UPDATE_KIND_FULL,
  restore: wire.UpdateKind.UPDATE_KIND_RESTORE,
} as const;
const CODECS = {
  f32: wire.ValueCodec.VALUE_CODEC_F32,
  int8: wire.ValueCodec.VALUE_CODEC_INT8,
  int4: wire.ValueCodec.VALUE_CODEC_INT4,
} as const;
const SELECTIONS = {
  whole: wire.Selection.SELECTION_WHOLE,
  channels: wire.Selection.SELECTION_CHANNELS,
  indices: wire.Selection.SELECTION_INDICES,
} as const;

/** How an update of a kind may select. */
const SELECTIONS_OF: Readonly<Record<UpdateKind, readonly TensorSelection["kind"][]>> = {
  masked: ["whole", "indices"],
  channels: ["whole", "channels"],
  "batch-norm": ["whole"],
  full: ["whole"],
  restore: [],
};

const ATTEMPT = "decode a model update";
const NO_BYTES = new Uint8Array(0);

/** @throws RangeError on an update that every receiver refuses: the sender has a bug */
export function encodeModelUpdate({ model, kind, result, base, tensors }: ModelUpdate): Uint8Array {
  const broken = brokenRule({ kind, result, ...(base === undefined ? {} : { base }), tensors });
  if (broken !== undefined) throw new RangeError(`Cannot send an update: ${broken.rule} (got ${broken.value})`);
  return wire.ModelUpdate.encode({
    model,
    number: writeCount("number", result.number),
    kind: KINDS[kind],
    ...(base === undefined ? {} : { baseNumber: base.number, baseDigest: bytesOfDigest(base.digest) }),
    resultDigest: bytesOfDigest(result.digest),
    tensors: tensors.map(
      (coded): TensorUpdateFields => ({
        ...coded,
        selection: SELECTIONS[coded.selection],
        codec: CODECS[coded.codec],
      }),
    ),
  }).finish();
}

/**
 * The tensors are views on `data`. Takes memory in proportion to it: 16 bytes for each at most.
 * @throws KnowledgeNetError KN_DECODE on whatever breaks a rule of the schema, in any tensor
 */
export function decodeModelUpdate(data: Uint8Array, limits: { readonly maxBytes: number }): ModelUpdate {
  const { maxBytes } = limits;
  return decodeWire(wire.ModelUpdate, data, { attempt: ATTEMPT, maxBytes, maxFields: MAX_FIELDS }, readUpdate);
}

/** What a tensor of an update sets. @throws KnowledgeNetError KN_DECODE */
export function changeOf(coded: CodedTensor): TensorChange {
  return decodeTensor(ATTEMPT, coded);
}

function readUpdate(fields: ModelUpdateFields): ModelUpdate {
  const kind = readWord(ATTEMPT, "kind", fields.kind, KINDS);
  const number = readCount(ATTEMPT, "number", fields.number);
  const result = { number, digest: hexOfDigest(ATTEMPT, "result_digest", fields.resultDigest) };
  const baseNumber = readCount(ATTEMPT, "base_number", fields.baseNumber);
  const hasBase = baseNumber > 0 || (fields.baseDigest ?? NO_BYTES).length > 0;
  const base = hasBase
    ? { base: { number: baseNumber, digest: hexOfDigest(ATTEMPT, "base_digest", fields.baseDigest) } }
    : {};
  const update = {
    model: readToken(ATTEMPT, "model", fields.model),
    ...{ kind, result, ...base, tensors: (fields.tensors ?? []).map(readTensorFields) },
  };
  const broken = brokenRule(update);
  if (broken !== undefined) throw refusal(ATTEMPT, broken.rule, broken.value);
  for (const coded of update.tensors) decodeTensor(ATTEMPT, coded);
  return update;
}

function readTensorFields(fields: TensorUpdateFields): CodedTensor {
  return {
    tensor: fields.tensor ?? 0,
    elements: fields.elements ?? 0,
    channels: fields.channels ?? 0,
    selection: readWord(ATTEMPT, "selection", fields.selection, SELECTIONS),
    selected: fields.selected ?? 0,
    riceBits: fields.riceBits ?? 0,
    gaps: fields.gaps ?? NO_BYTES,
    codec: readWord(ATTEMPT, "codec", fields.codec, CODECS),
    scales: fields.scales ?? NO_BYTES,
    data: fields.data ?? NO_BYTES,
  };
}

/** The rules between the fields, for both sides. */
function brokenRule({
  kind,
  result,
  base,
  tensors,
}: Omit<ModelUpdate, "model">): { readonly rule: string; readonly value: string | number } | undefined {
  if (result.number < 1) return { rule: "numbers must count from 1", value: result.number };
  if ((kind === "full") !== (base === undefined)) return { rule: "all but a full one must have a base", value: kind };
  if (base !== undefined && (base.number < 1 || base.number >= result.number)) {
    return { rule: `the base's number must be from 1 and below ${result.number}`, value: base.number };
  }
  if ((kind === "restore") !== (tensors.length === 0)) {
    return { rule: "all but a restoring one must have tensors", value: `${kind}, ${tensors.length} tensors` };
  }
  if (tensors.length > MAX_TENSORS)
    return { rule: `it must have at most ${MAX_TENSORS} tensors`, value: tensors.length };
  let next = 0;
  for (const { tensor, selection } of tensors) {
    if (kind === "full" ? tensor !== next : tensor < next) {
      return { rule: kind === "full" ? "it must have every tensor" : "its tensors must ascend", value: tensor };
    }
    if (!SELECTIONS_OF[kind].includes(selection)) {
      return { rule: `a ${kind} update must select by ${SELECTIONS_OF[kind].join(" or ")}`, value: selection };
    }
    next = tensor + 1;
  }
  return undefined;
}
