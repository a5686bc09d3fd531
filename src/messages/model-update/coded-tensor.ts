/** New values of one tensor as they travel, and what they mean; every field as TensorUpdate in update.proto. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { isAllFinite } from "../codecs/finite.ts";
import { GREATEST_SCALE } from "../codecs/int8.ts";
import { alignedBytes, bytesOf } from "../tensor/tensor-view.ts";
import { refusal } from "../wire/refusal.ts";
import { dequantise, type Groups, quantise, quantisedBytes } from "./quantise.ts";
import { decodeGaps, encodeGaps } from "./rice.ts";

export type ValueCodec = "f32" | "int8" | "int4";

/** Values of a tensor: all; those of some indices of the last axis; single ones, by their place in the tensor. */
export type TensorSelection =
  | { readonly kind: "whole" }
  | { readonly kind: "channels" | "indices" /** Ascending, one or more. */; readonly at: Uint32Array };

/** What an update sets in one tensor. */
export interface TensorChange {
  /** Place of the tensor among those of the model, sorted by name. */
  readonly tensor: number;
  readonly elements: number;
  /** Extent of the last axis, 1 of a scalar. */
  readonly channels: number;
  readonly selection: TensorSelection;
  /** The selected values, row-major; absolute, not differences. */
  readonly values: Float32Array;
}

export interface ValueCoding {
  readonly codec: ValueCodec;
  /** What shares a scale; f32 has none. @default "tensor" */
  readonly scalePer?: "tensor" | "channel";
}

/** A `TensorChange` as it travels. */
export interface CodedTensor {
  readonly tensor: number;
  readonly elements: number;
  readonly channels: number;
  readonly selection: TensorSelection["kind"];
  readonly selected: number;
  readonly riceBits: number;
  readonly gaps: Uint8Array;
  readonly codec: ValueCodec;
  /** f32, little-endian. */
  readonly scales: Uint8Array;
  readonly data: Uint8Array;
}

/** Greatest number of elements: the type of a place. */
const MAX_ELEMENTS = 2 ** 32 - 1;
const NO_BYTES = new Uint8Array(0);

/**
 * @throws KnowledgeNetError KN_NUMERIC on a value that the codec does not carry; RangeError when the parts of `change` do
 * not fit together
 */
export function codeTensor(change: TensorChange, { codec, scalePer = "tensor" }: ValueCoding): CodedTensor {
  const { tensor, elements, channels, selection, values } = change;
  const count = selectedValues(selection, elements, channels);
  if (count !== values.length || count === 0 || elements % channels !== 0) {
    throw new RangeError(`Cannot encode ${values.length} values for ${count} of ${elements} in ${channels} channels`);
  }
  const isWhole = selection.kind === "whole";
  const limit = selection.kind === "channels" ? channels : elements;
  if (!isWhole && (selection.at.at(-1) ?? 0) >= limit) {
    throw new RangeError(`Cannot encode the place ${selection.at.at(-1)} of ${limit}`);
  }
  const { riceBits, bytes: gaps } = isWhole ? { riceBits: 0, bytes: NO_BYTES } : encodeGaps(selection.at);
  const coded = {
    ...{ tensor, elements, channels, selection: selection.kind, selected: isWhole ? 0 : selection.at.length },
    ...{ riceBits, gaps, codec },
  };
  if (codec !== "f32") {
    const { data, scales } = quantise(codec, values, groupsOf(selection, channels, scalePer));
    return { ...coded, data, scales: bytesOf(scales) };
  }
  if (isAllFinite(values)) return { ...coded, data: bytesOf(values), scales: NO_BYTES };
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: "encode new values of a tensor",
    rule: "every value must be finite",
  });
}

/** The values may be a view on `coded.data`. @throws KnowledgeNetError KN_DECODE on whatever breaks a rule of the schema */
export function decodeTensor(attempt: string, coded: CodedTensor): TensorChange {
  const { tensor, elements, channels, codec, data } = coded;
  if (elements < 1 || elements > MAX_ELEMENTS || channels < 1 || elements % channels !== 0) {
    throw refusal(attempt, "elements must be a multiple of channels", `${elements} in ${channels}`);
  }
  // Before memory is taken for the selection: data of this length bounds it.
  const count = countOf(attempt, coded);
  const dataBytes = codec === "f32" ? count * 4 : quantisedBytes(codec, count);
  if (data.length !== dataBytes) throw refusal(attempt, `${count} values must have ${dataBytes} bytes`, data.length);
  if (codec === "int4" && count % 2 === 1 && (data.at(-1) ?? 0) > 0x0f) {
    throw refusal(attempt, "an odd half byte must be followed by zeros", data.at(-1));
  }
  const selection = readSelection(attempt, coded);
  const values =
    codec === "f32"
      ? readFloats(attempt, coded)
      : readQuantised(attempt, coded, codec, count, (scalePer) => groupsOf(selection, channels, scalePer));
  return { tensor, elements, channels, selection, values };
}

function selectedValues(selection: TensorSelection, elements: number, channels: number): number {
  if (selection.kind === "whole") return elements;
  return selection.kind === "indices" ? selection.at.length : selection.at.length * (elements / channels);
}

function countOf(attempt: string, { selection, selected, elements, channels }: CodedTensor): number {
  if (selection === "whole") {
    if (selected !== 0) throw refusal(attempt, "a whole tensor must select nothing", selected);
    return elements;
  }
  const most = selection === "channels" ? channels : elements;
  if (selected < 1 || selected > most) throw refusal(attempt, `selected must be from 1 to ${most}`, selected);
  return selection === "channels" ? selected * (elements / channels) : selected;
}

function readSelection(attempt: string, coded: CodedTensor): TensorSelection {
  const { selection, selected, riceBits, gaps, elements, channels } = coded;
  if (selection === "whole") {
    if (gaps.length > 0 || riceBits !== 0) throw refusal(attempt, "a whole tensor must have no gaps", gaps.length);
    return { kind: "whole" };
  }
  const limit = selection === "channels" ? channels : elements;
  return { kind: selection, at: decodeGaps(attempt, { riceBits, bytes: gaps }, selected, limit) };
}

function readFloats(attempt: string, { data, scales }: CodedTensor): Float32Array {
  if (scales.length > 0) throw refusal(attempt, "f32 must have no scales", scales.length);
  const aligned = alignedBytes(data);
  const values = new Float32Array(aligned.buffer, aligned.byteOffset, data.length / 4);
  if (!isAllFinite(values)) throw refusal(attempt, "every value must be finite", "NaN or infinity");
  return values;
}

function readQuantised(
  attempt: string,
  { data, scales: bytes }: CodedTensor,
  codec: "int8" | "int4",
  count: number,
  groupsPer: (scalePer: "tensor" | "channel") => Groups,
): Float32Array {
  const perChannel = groupsPer("channel");
  const groups = bytes.length === 4 ? groupsPer("tensor") : perChannel;
  if (bytes.length !== groups.count * 4) {
    throw refusal(attempt, `it must have 1 or ${perChannel.count} scales of 4 bytes`, bytes.length);
  }
  const aligned = alignedBytes(bytes);
  const scales = new Float32Array(aligned.buffer, aligned.byteOffset, groups.count);
  for (const scale of scales) {
    if (!(scale >= 0 && scale <= GREATEST_SCALE))
      throw refusal(attempt, `a scale must be from 0 to ${GREATEST_SCALE}`, scale);
  }
  return dequantise(codec, { data, scales }, count, groups);
}

function groupsOf(selection: TensorSelection, channels: number, scalePer: "tensor" | "channel"): Groups {
  if (scalePer === "tensor") return { count: 1, of: () => 0 };
  switch (selection.kind) {
    case "whole":
      return { count: channels, of: (position) => position % channels };
    case "channels":
      return { count: selection.at.length, of: (position) => position % selection.at.length };
    case "indices":
      return { count: channels, of: (position) => (selection.at[position] as number) % channels };
  }
}
