/** Inputs that the live release answered; every field as LiveInputs in observation.proto. */
import { type LiveInputsFields, wire } from "../generated/knowledgenet.ts";
import { MAX_BATCH_SAMPLES } from "../frame/stage.ts";
import { rawTensor } from "../tensor/raw-tensor.ts";
import { encodedTensorBytes } from "../tensor/tensor-codec.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readToken } from "../wire/fields.ts";
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
  /** [n, classes], of a candidate that computed a copy. */
  readonly candidateLogits?: FloatTensor;
  /** Of that candidate: set exactly when its logits are. */
  readonly candidateRelease?: number;
}

const ATTEMPT = "decode live inputs";
/** Name, two releases, three shapes of up to 8 axes and the tags of all fields. */
const MAX_OVERHEAD_BYTES = 384;

/** An upper bound of the size of the message, bytes. */
export function liveInputsBytes({
  input,
  logits,
  candidateLogits = logits,
}: Pick<LiveInputs, "input" | "logits" | "candidateLogits">): number {
  const tensors = [input, logits, candidateLogits].map(({ shape, dtype }) => encodedTensorBytes(shape, dtype, "raw"));
  return tensors.reduce((sum, bytes) => sum + bytes, MAX_OVERHEAD_BYTES);
}

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError on inputs that no receiver takes. */
export function encodeLiveInputs(inputs: LiveInputs): Uint8Array {
  const { model, release, input, logits, candidateLogits, candidateRelease } = inputs;
  const broken = brokenRule(inputs);
  if (broken !== undefined) throw new RangeError(`Cannot send live inputs: ${broken.rule} (got ${broken.value})`);
  return wire.LiveInputs.encode({
    model,
    release: writeCount("release", release),
    input: rawTensor(input),
    logits: rawTensor(logits),
    ...(candidateLogits === undefined ? {} : { candidateLogits: rawTensor(candidateLogits) }),
    ...(candidateRelease === undefined ? {} : { candidateRelease: writeCount("candidateRelease", candidateRelease) }),
  }).finish();
}

/** The tensors may be views on `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeLiveInputs(data: Uint8Array, { maxBytes }: { readonly maxBytes: number }): LiveInputs {
  return decodeWire(wire.LiveInputs, data, { attempt: ATTEMPT, maxBytes }, readFields);
}

function readFields(fields: LiveInputsFields): LiveInputs {
  const input = readInput(ATTEMPT, fields.input, 2);
  const logits = readLogits(ATTEMPT, fields.logits, 2);
  const candidate = fields.candidateLogits ?? undefined;
  const candidateRelease = readCount(ATTEMPT, "candidate_release", fields.candidateRelease);
  const live = {
    model: readToken(ATTEMPT, "model", fields.model),
    release: readRelease(ATTEMPT, fields.release),
    input,
    logits,
    ...(candidate === undefined ? {} : { candidateLogits: readLogits(ATTEMPT, candidate, 2) }),
    ...(candidateRelease === 0 ? {} : { candidateRelease }),
  };
  const broken = brokenRule(live);
  if (broken !== undefined) throw refusal(ATTEMPT, broken.rule, broken.value);
  return live;
}

/** The rules between the fields, for both sides. */
function brokenRule({
  input,
  logits,
  candidateLogits,
  candidateRelease,
}: LiveInputs): { readonly rule: string; readonly value: string | number } | undefined {
  const samples = input.shape[0] ?? 0;
  if (samples > MAX_BATCH_SAMPLES)
    return { rule: `a message must have at most ${MAX_BATCH_SAMPLES} samples`, value: samples };
  if (logits.shape[0] !== samples)
    return { rule: `logits must be [${samples}, classes]`, value: `[${logits.shape.join(", ")}]` };
  if ((candidateLogits === undefined) !== (candidateRelease === undefined) || candidateRelease === 0)
    return { rule: "a candidate's logits must come with its release", value: candidateRelease ?? "none" };
  if (candidateLogits === undefined || candidateLogits.shape.join() === logits.shape.join()) return undefined;
  return {
    rule: `a candidate's logits must be [${logits.shape.join(", ")}]`,
    value: `[${candidateLogits.shape.join(", ")}]`,
  };
}
