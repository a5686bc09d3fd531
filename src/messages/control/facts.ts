/** Facts that actors publish; every field as in events.proto. Each reader throws KN_DECODE, each writer RangeError. */
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type CheckpointSavedFields,
  type EvaluationMeasuredFields,
  type FeederMarkFields,
  type ProgressFields,
  type SourceSwitchedFields,
  type StateEnteredFields,
  type TeacherChangedFields,
  wire,
} from "../generated/knowledgenet.ts";
import { isSubjectToken } from "../subjects/token.ts";
import { readCount, readNumber, readText, readToken, readWord } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";

/** Accuracy of one prediction of a gradient model. */
export interface GradientQuality {
  /** Cosine similarity of prediction and arrived gradient over the whole batch, -1 to 1. */
  readonly cosine: number;
  /** |prediction - arrived| / |arrived| in the 2-norm. */
  readonly relativeError: number;
  /** Updates of the gradient model so far. */
  readonly updates: number;
}

/** An actor has consumed a message of the stream: acknowledgement and credit for its senders. */
export interface Progress {
  readonly kind: "Progress";
  /** Highest sequence up to which everything is consumed. */
  readonly consumed: number;
  /** Updates of this actor's weights so far. */
  readonly applied: number;
  /** Mean loss of the batch just trained, nats; from the last block only. */
  readonly loss?: number | undefined;
  /** Steps between forward and the newest gradient learnt from. */
  readonly stalenessSteps: number;
  readonly quality?: GradientQuality | undefined;
  readonly computeMs: number;
  readonly receivedBytes: number;
  /** Messages dropped so far, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** Training batches that the weights do not include, by cause; applied + skipped + pending = step. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Training batches that wait for their gradient, with the current one. */
  readonly pending: number;
  /** Bytes of frames for training sent so far, each counted once, by plane. */
  readonly sentBytes: Readonly<Record<string, number>>;
  /** Training step of the newest batch taken, at which these counts stand. */
  readonly step: number;
  /** Of the batch just trained, per sample; from a student's section only. */
  readonly hintLoss?: number | undefined;
  /** hits, misses, refused: samples; saved_macs. From a teacher's section only. */
  readonly cache?: Readonly<Record<string, number>> | undefined;
}

/** Progress of an actor that has done nothing yet; a kind sets the figures that it has. */
export const NO_PROGRESS: Progress = {
  kind: "Progress",
  consumed: 0,
  applied: 0,
  stalenessSteps: 0,
  computeMs: 0,
  receivedBytes: 0,
  drops: {},
  skipped: {},
  pending: 0,
  sentBytes: {},
  step: 0,
};

/** Result of an evaluation so far; cumulative over its batches. */
export interface EvaluationMeasured {
  readonly kind: "EvaluationMeasured";
  readonly evaluation: number;
  readonly correct: number;
  readonly samples: number;
  /** Sum of the samples' losses, nats. */
  readonly lossSum: number;
  /** Samples on which student and teacher agree; set if there is a teacher. */
  readonly agreeing?: number | undefined;
  /** Samples that the teacher classifies correctly. */
  readonly teacherCorrect?: number | undefined;
}

/** An actor entered a state of its chart. */
export interface StateEntered {
  readonly kind: "StateEntered";
  readonly state: string;
}

/** An actor's state is durable. */
export interface CheckpointSaved {
  readonly kind: "CheckpointSaved";
  readonly name: string;
  /** SHA-256 of the blob, 64 hex digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A block with source `auto` switched to another gradient source. */
export interface SourceSwitched {
  readonly kind: "SourceSwitched";
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** A student's section switched to another version of the teacher. */
export interface TeacherChanged {
  readonly kind: "TeacherChanged";
  readonly from: number;
  readonly to: number;
}

const MARKS = {
  "evaluation-published": wire.FeederMark.Kind.KIND_EVALUATION_PUBLISHED,
  "epoch-ended": wire.FeederMark.Kind.KIND_EPOCH_ENDED,
  paused: wire.FeederMark.Kind.KIND_PAUSED,
  finished: wire.FeederMark.Kind.KIND_FINISHED,
} as const;

/** The feeder reached a mark of its schedule. */
export interface FeederMark {
  readonly kind: "FeederMark";
  readonly mark: keyof typeof MARKS;
  /** Epochs finished so far. */
  readonly epoch: number;
  /** The last evaluation published before the mark, counted from 1; 0 for `paused`. */
  readonly evaluation: number;
  /** Samples of that evaluation; 0 if there is none. */
  readonly evaluationSamples: number;
}

/** Reasons of drops, causes of skips, planes: entries that one table of a Progress may have. */
const MAX_ENTRIES = 64;
/** Characters of a reason. */
const MAX_REASON = 1024;
/** Characters of a state's or a blob's name. */
const MAX_NAME = 256;
/** SHA-256 in hex. */
const DIGEST = /^[0-9a-f]{64}$/;

export function writeProgress(progress: Progress): ProgressFields {
  const { consumed, applied, loss, stalenessSteps, quality, computeMs, receivedBytes, pending, hintLoss, cache } =
    progress;
  return {
    consumed: writeCount("consumed", consumed),
    applied: writeCount("applied", applied),
    ...(loss === undefined ? {} : { loss: writeNumber("loss", loss) }),
    stalenessSteps: writeCount("stalenessSteps", stalenessSteps),
    ...(quality === undefined ? {} : { quality: writeQuality(quality) }),
    computeMs: writeNumber("computeMs", computeMs, 0),
    receivedBytes: writeCount("receivedBytes", receivedBytes),
    drops: writeCounts("drops", progress.drops),
    skipped: writeCounts("skipped", progress.skipped),
    pending: writeCount("pending", pending),
    sentBytes: writeCounts("sentBytes", progress.sentBytes),
    step: writeCount("step", progress.step),
    ...(hintLoss === undefined ? {} : { hintLoss: writeNumber("hintLoss", hintLoss, 0) }),
    ...(cache === undefined ? {} : { cache: writeCounts("cache", cache) }),
  };
}

export function readProgress(attempt: string, fields: ProgressFields): Progress {
  const { loss, quality, hintLoss } = fields;
  const cache = readCounts(attempt, "cache", fields.cache);
  return {
    kind: "Progress",
    consumed: readCount(attempt, "consumed", fields.consumed),
    applied: readCount(attempt, "applied", fields.applied),
    ...(loss === null || loss === undefined ? {} : { loss: readNumber(attempt, "loss", loss) }),
    stalenessSteps: readCount(attempt, "staleness_steps", fields.stalenessSteps),
    ...(quality === null || quality === undefined
      ? {}
      : {
          quality: {
            cosine: readNumber(attempt, "cosine", quality.cosine),
            relativeError: readNumber(attempt, "relative_error", quality.relativeError, 0),
            updates: readCount(attempt, "updates", quality.updates),
          },
        }),
    computeMs: readNumber(attempt, "compute_ms", fields.computeMs, 0),
    receivedBytes: readCount(attempt, "received_bytes", fields.receivedBytes),
    drops: readCounts(attempt, "drops", fields.drops),
    skipped: readCounts(attempt, "skipped", fields.skipped),
    pending: readCount(attempt, "pending", fields.pending),
    sentBytes: readCounts(attempt, "sent_bytes", fields.sentBytes),
    step: readCount(attempt, "step", fields.step),
    ...(hintLoss === null || hintLoss === undefined ? {} : { hintLoss: readNumber(attempt, "hint_loss", hintLoss, 0) }),
    ...(Object.keys(cache).length === 0 ? {} : { cache }),
  };
}

/** A table of counts whose keys are tokens. */
function writeCounts(name: string, counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const entries = Object.entries(counts);
  if (entries.length > MAX_ENTRIES) throw new RangeError(`Cannot send ${entries.length} entries of ${name}`);
  for (const [key, count] of entries) {
    if (!isSubjectToken(key)) throw new RangeError(`Cannot send ${name} of ${JSON.stringify(key)}: it is no token`);
    writeCount(`${name} of ${key}`, count);
  }
  return counts;
}

function readCounts(
  attempt: string,
  name: string,
  counts: Readonly<Record<string, number>> | null | undefined,
): Record<string, number> {
  const entries = Object.entries(counts ?? {});
  if (entries.length > MAX_ENTRIES)
    throw refusal(attempt, `${name} must have at most ${MAX_ENTRIES} entries`, entries.length);
  return Object.fromEntries(
    entries.map(([key, count]) => [readToken(attempt, `a key of ${name}`, key), readCount(attempt, name, count)]),
  );
}

export function writeEvaluation(measured: EvaluationMeasured): EvaluationMeasuredFields {
  const { evaluation, samples, lossSum, agreeing, teacherCorrect } = measured;
  const part = (name: string, count: number): number => {
    if (count > samples) throw new RangeError(`Cannot send ${count} ${name} of ${samples}`);
    return writeCount(name, count);
  };
  return {
    evaluation: writeCount("evaluation", evaluation),
    correct: part("correct", measured.correct),
    samples: writeCount("samples", samples),
    lossSum: writeNumber("lossSum", lossSum),
    ...(agreeing === undefined ? {} : { agreeing: part("agreeing", agreeing) }),
    ...(teacherCorrect === undefined ? {} : { teacherCorrect: part("teacherCorrect", teacherCorrect) }),
  };
}

export function readEvaluation(attempt: string, fields: EvaluationMeasuredFields): EvaluationMeasured {
  const { agreeing, teacherCorrect } = fields;
  const samples = readCount(attempt, "samples", fields.samples);
  const part = (name: string, value: number | null | undefined): number => {
    const count = readCount(attempt, name, value);
    if (count > samples) throw refusal(attempt, `${name} must not exceed samples`, `${count} of ${samples}`);
    return count;
  };
  return {
    kind: "EvaluationMeasured",
    evaluation: readCount(attempt, "evaluation", fields.evaluation),
    correct: part("correct", fields.correct),
    samples,
    lossSum: readNumber(attempt, "loss_sum", fields.lossSum),
    ...(agreeing === null || agreeing === undefined ? {} : { agreeing: part("agreeing", agreeing) }),
    ...(teacherCorrect === null || teacherCorrect === undefined
      ? {}
      : { teacherCorrect: part("teacher_correct", teacherCorrect) }),
  };
}

export function writeTeacherChanged({ from, to }: TeacherChanged): TeacherChangedFields {
  return { from: writeCount("from", from), to: writeCount("to", to) };
}

export function readTeacherChanged(attempt: string, fields: TeacherChangedFields): TeacherChanged {
  return {
    kind: "TeacherChanged",
    from: readCount(attempt, "from", fields.from),
    to: readCount(attempt, "to", fields.to),
  };
}

export function writeStateName(state: string): string {
  return writeName("state", state);
}

export function readStateEntered(attempt: string, fields: StateEnteredFields): StateEntered {
  return { kind: "StateEntered", state: readStateName(attempt, fields.state) };
}

export function readStateName(attempt: string, state: string | null | undefined): string {
  return readText(attempt, "state", state, MAX_NAME);
}

export function writeCheckpointSaved({ name, digest, sizeBytes }: CheckpointSaved): CheckpointSavedFields {
  if (!DIGEST.test(digest))
    throw new RangeError(`Cannot send the digest ${digest}: it must be 64 lower-case hex digits`);
  return { name: writeName("name", name), digest, sizeBytes: writeCount("sizeBytes", sizeBytes) };
}

export function readCheckpointSaved(attempt: string, fields: CheckpointSavedFields): CheckpointSaved {
  const digest = fields.digest ?? "";
  if (!DIGEST.test(digest)) throw refusal(attempt, "digest must be 64 lower-case hex digits", digest);
  return {
    kind: "CheckpointSaved",
    name: readText(attempt, "name", fields.name, MAX_NAME),
    digest,
    sizeBytes: readCount(attempt, "size_bytes", fields.sizeBytes),
  };
}

export function writeFeederMark({ mark, epoch, evaluation, evaluationSamples }: FeederMark): FeederMarkFields {
  return {
    kind: MARKS[mark],
    epoch: writeCount("epoch", epoch),
    evaluation: writeCount("evaluation", evaluation),
    evaluationSamples: writeCount("evaluation_samples", evaluationSamples),
  };
}

export function readFeederMark(attempt: string, fields: FeederMarkFields): FeederMark {
  return {
    kind: "FeederMark",
    mark: readWord(attempt, "mark", fields.kind, MARKS),
    epoch: readCount(attempt, "epoch", fields.epoch),
    evaluation: readCount(attempt, "evaluation", fields.evaluation),
    evaluationSamples: readCount(attempt, "evaluation_samples", fields.evaluationSamples),
  };
}

export function writeSourceSwitched({ from, to, reason }: SourceSwitched): SourceSwitchedFields {
  if (reason.length > MAX_REASON) throw new RangeError(`Cannot send a reason of ${reason.length} characters`);
  return { from: writeName("from", from), to: writeName("to", to), reason };
}

export function readSourceSwitched(attempt: string, fields: SourceSwitchedFields): SourceSwitched {
  return {
    kind: "SourceSwitched",
    from: readToken(attempt, "from", fields.from),
    to: readToken(attempt, "to", fields.to),
    reason: readText(attempt, "reason", fields.reason, MAX_REASON),
  };
}

function writeQuality({ cosine, relativeError, updates }: GradientQuality): NonNullable<ProgressFields["quality"]> {
  return {
    cosine: writeNumber("cosine", cosine),
    relativeError: writeNumber("relativeError", relativeError, 0),
    updates: writeCount("updates", updates),
  };
}

function writeName(what: string, name: string): string {
  if (name.length <= MAX_NAME) return name;
  throw new RangeError(`Cannot send a ${what} of ${name.length} characters: at most ${MAX_NAME}`);
}

/**
 * @throws KnowledgeNetError KN_NUMERIC on NaN and infinity: training has diverged, and that must not look like a
 * figure.
 */
function writeNumber(name: string, value: number, least = -Infinity): number {
  if (value < least) throw new RangeError(`Cannot send ${name} ${value}: it must be at least ${least}`);
  if (Number.isFinite(value)) return value;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: "report a figure",
    rule: `${name} must be finite`,
    value: String(value),
  });
}
