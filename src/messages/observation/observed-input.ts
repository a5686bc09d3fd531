/** An input that an observer has chosen; every field as ObservedInput in observation.proto. */
import { type InterestFields, type ObservedInputFields, wire } from "../generated/knowledgenet.ts";
import { rawTensor } from "../tensor/raw-tensor.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount, readToken, readWord } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { type FloatTensor, type InputTensor, readInput, readLogits, readRelease } from "./input-tensor.ts";

/** Each from 0 to 1. */
export interface ObservationInterest {
  readonly disagreement: number;
  readonly uncertainty: number;
  readonly novelty: number;
}

/** Of the live release with a candidate, about the input; counts are of the observer's epoch, by candidate. */
export interface ObservationComparison {
  /** Number of the update that the candidate is made of, from 1. */
  readonly candidate: number;
  /** Their classes differ. */
  readonly disagrees: boolean;
  /** Inputs that were compared when this one was considered, this one included, whether chosen or not. */
  readonly compared: number;
  /** Those of them of which the classes differ. */
  readonly disagreements: number;
}

export interface ObservedInput {
  readonly model: string;
  /** Who chose it, a token. */
  readonly observer: string;
  /** Start of the observer, a token, unique among all of them. */
  readonly epoch: string;
  /** Counts the observations of the epoch, from 0; a missing number was lost before the log. */
  readonly number: number;
  /** ms since 1970, integers. */
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** Of the live student. */
  readonly release: number;
  readonly stratum: "uniform" | "interesting";
  /** Probability to be in its stratum, above 0, at most 1. */
  readonly inclusion: number;
  /** Inputs of its slot that it stands for, above 0. */
  readonly weight: number;
  readonly interest: ObservationInterest;
  /** One sample, [...sample]. */
  readonly input: InputTensor;
  /** [classes]. */
  readonly logits: FloatTensor;
  /** Absent: no candidate computed it, or none that is made of an update. */
  readonly comparison?: ObservationComparison;
}

const ATTEMPT = "decode an observation";

const STRATA = {
  uniform: wire.Stratum.STRATUM_UNIFORM,
  interesting: wire.Stratum.STRATUM_INTERESTING,
} as const;

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError on an observation that no reader takes. */
export function encodeObservedInput(observed: ObservedInput): Uint8Array {
  const broken = brokenRule(observed);
  if (broken !== undefined) throw new RangeError(`Cannot write an observation: ${broken.rule} (got ${broken.value})`);
  const { model, observer, epoch, stratum, inclusion, weight, interest, input, logits, comparison } = observed;
  return wire.ObservedInput.encode({
    ...{ model, observer, epoch, inclusion, weight, interest },
    number: writeCount("number", observed.number),
    atMs: writeCount("atMs", observed.atMs),
    expiresAtMs: writeCount("expiresAtMs", observed.expiresAtMs),
    release: writeCount("release", observed.release),
    stratum: STRATA[stratum],
    input: rawTensor(input),
    logits: rawTensor(logits),
    ...(comparison === undefined ? {} : writeComparison(comparison)),
  }).finish();
}

/** The tensors may be views on `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeObservedInput(data: Uint8Array, { maxBytes }: { readonly maxBytes: number }): ObservedInput {
  return decodeWire(wire.ObservedInput, data, { attempt: ATTEMPT, maxBytes }, readFields);
}

function writeComparison({ candidate, disagrees, compared, disagreements }: ObservationComparison) {
  return {
    candidate: writeCount("candidate", candidate),
    disagrees,
    compared: writeCount("compared", compared),
    disagreements: writeCount("disagreements", disagreements),
  };
}

function readFields(fields: ObservedInputFields): ObservedInput {
  const comparison = readComparison(fields);
  const observed = {
    model: readToken(ATTEMPT, "model", fields.model),
    observer: readToken(ATTEMPT, "observer", fields.observer),
    epoch: readToken(ATTEMPT, "epoch", fields.epoch),
    number: readCount(ATTEMPT, "number", fields.number),
    atMs: readCount(ATTEMPT, "at_ms", fields.atMs),
    expiresAtMs: readCount(ATTEMPT, "expires_at_ms", fields.expiresAtMs),
    release: readRelease(ATTEMPT, fields.release),
    stratum: readWord(ATTEMPT, "stratum", fields.stratum, STRATA),
    inclusion: fields.inclusion ?? 0,
    weight: fields.weight ?? 0,
    interest: readInterest(fields.interest),
    input: readInput(ATTEMPT, fields.input, 1),
    logits: readLogits(ATTEMPT, fields.logits, 1),
    ...(comparison === undefined ? {} : { comparison }),
  };
  const broken = brokenRule(observed);
  if (broken !== undefined) throw refusal(ATTEMPT, broken.rule, broken.value);
  return observed;
}

function readInterest(fields: InterestFields | null | undefined): ObservationInterest {
  const { disagreement, uncertainty, novelty } = fields ?? {};
  return { disagreement: disagreement ?? 0, uncertainty: uncertainty ?? 0, novelty: novelty ?? 0 };
}

function readComparison(fields: ObservedInputFields): ObservationComparison | undefined {
  const comparison = {
    candidate: readCount(ATTEMPT, "candidate", fields.candidate),
    disagrees: fields.disagrees ?? false,
    compared: readCount(ATTEMPT, "compared", fields.compared),
    disagreements: readCount(ATTEMPT, "disagreements", fields.disagreements),
  };
  const { candidate, disagrees, compared, disagreements } = comparison;
  return candidate > 0 || disagrees || compared > 0 || disagreements > 0 ? comparison : undefined;
}

interface BrokenRule {
  readonly rule: string;
  readonly value: number;
}

/** The rules of the numbers, for both sides. */
function brokenRule({
  atMs,
  expiresAtMs,
  inclusion,
  weight,
  interest,
  comparison,
}: ObservedInput): BrokenRule | undefined {
  if (expiresAtMs <= atMs) return { rule: `expires_at_ms must be above at_ms, ${atMs}`, value: expiresAtMs };
  if (!(inclusion > 0 && inclusion <= 1)) return { rule: "inclusion must be above 0, at most 1", value: inclusion };
  if (!(weight > 0 && weight < Infinity)) return { rule: "weight must be finite, above 0", value: weight };
  for (const [part, value] of Object.entries(interest) as [string, number][]) {
    if (!(value >= 0 && value <= 1)) return { rule: `${part} must be from 0 to 1`, value };
  }
  return comparison === undefined ? undefined : brokenComparison(comparison);
}

function brokenComparison(comparison: ObservationComparison): BrokenRule | undefined {
  const { candidate, disagrees, compared, disagreements } = comparison;
  if (candidate < 1) return { rule: "a candidate that was compared must count from 1", value: candidate };
  if (compared < 1) return { rule: "compared must count this input", value: compared };
  const least = disagrees ? 1 : 0;
  if (disagreements >= least && disagreements <= compared) return undefined;
  return { rule: `disagreements must be from ${least} to compared, ${compared}`, value: disagreements };
}
