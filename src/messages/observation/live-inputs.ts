/** Inputs that the live release answered; every field as LiveInputs in observation.proto. */
import { type LiveInputsFields, wire } from "../generated/knowledgenet.ts";
import { MAX_BATCH_SAMPLES } from "../frame/stage.ts";
import { rawTensor } from "../tensor/raw-tensor.ts";
import { encodedTensorBytes } from "../tensor/tensor-codec.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readToken } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { type FloatTensor, type InputTensor, readInput, readLogits, readRelease } from "./input-tensor.ts";

export interface LiveInputs {
  readonly model: string;
  readonly release: number;
  /** [n, ...sample]. */
  readonly input: InputTensor;
  /** [n, classes]. */
  readonly logits: FloatTensor;
}

const ATTEMPT = "decode live inputs";
/** Name, release, two shapes of up to 8 axes and the tags of all fields. */
const MAX_OVERHEAD_BYTES = 256;

/** An upper bound of the size of the message, bytes. */
export function liveInputsBytes({ input, logits }: Pick<LiveInputs, "input" | "logits">): number {
  const tensors = [input, logits].map(({ shape, dtype }) => encodedTensorBytes(shape, dtype, "raw"));
  return tensors.reduce((sum, bytes) => sum + bytes, MAX_OVERHEAD_BYTES);
}

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError on inputs that no receiver takes. */
export function encodeLiveInputs({ model, release, input, logits }: LiveInputs): Uint8Array {
  const broken = brokenRule(input, logits);
  if (broken !== undefined) throw new RangeError(`Cannot send live inputs: ${broken.rule} (got ${broken.value})`);
  return wire.LiveInputs.encode({
    model,
    release: writeCount("release", release),
    input: rawTensor(input),
    logits: rawTensor(logits),
  }).finish();
}

/** The tensors may be views on `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeLiveInputs(data: Uint8Array, { maxBytes }: { readonly maxBytes: number }): LiveInputs {
  return decodeWire(wire.LiveInputs, data, { attempt: ATTEMPT, maxBytes }, readFields);
}

function readFields(fields: LiveInputsFields): LiveInputs {
  const input = readInput(ATTEMPT, fields.input, 2);
  const logits = readLogits(ATTEMPT, fields.logits, 2);
  const broken = brokenRule(input, logits);
  if (broken !== undefined) throw refusal(ATTEMPT, broken.rule, broken.value);
  return {
    model: readToken(ATTEMPT, "model", fields.model),
    release: readRelease(ATTEMPT, fields.release),
    input,
    logits,
  };
}

/** The rules between the tensors, for both sides. */
function brokenRule(
  { shape }: InputTensor,
  logits: FloatTensor,
): { readonly rule: string; readonly value: string | number } | undefined {
  const samples = shape[0] ?? 0;
  if (samples > MAX_BATCH_SAMPLES)
    return { rule: `a message must have at most ${MAX_BATCH_SAMPLES} samples`, value: samples };
  if (logits.shape[0] === samples) return undefined;
  return { rule: `logits must be [${samples}, classes]`, value: `[${logits.shape.join(", ")}]` };
}
