/** A codec's name in the spec to its name on the wire. */
import type { RowCodec, TensorCodec } from "../messages/index.ts";
import type { CodecName, DistillationSpec } from "../run-spec/index.ts";

export function wireCodec(name: CodecName): TensorCodec {
  return name === "f32" ? "raw" : name;
}

/** Codec of a hint, which is encoded sample by sample. */
export function hintCodec(name: DistillationSpec["codecs"]["hint"]): RowCodec {
  if (name === "f32") return "raw";
  return name === "bf16" ? "bf16" : "int8-sample";
}
