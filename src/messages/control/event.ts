/** Facts that an actor publishes on `evt.<actor>`. At most once; every figure is cumulative or idempotent. */
import { type EventFields, wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { type Header, readHeader, writeHeader } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import {
  type CheckpointSaved,
  type EvaluationMeasured,
  type FeederMark,
  type Progress,
  readCheckpointSaved,
  readEvaluation,
  readFeederMark,
  readProgress,
  readSourceSwitched,
  readStateEntered,
  readTeacherChanged,
  type SourceSwitched,
  type StateEntered,
  type TeacherChanged,
  writeCheckpointSaved,
  writeEvaluation,
  writeFeederMark,
  writeProgress,
  writeSourceSwitched,
  writeStateName,
  writeTeacherChanged,
} from "./facts.ts";
import { type Failure, readFailure, writeFailure } from "./failure.ts";
import { readReplicaState, type ReplicaState, writeReplicaState } from "./replica-state.ts";

/** A fact, discriminated by `kind`. */
export type Fact =
  | Progress
  | EvaluationMeasured
  | StateEntered
  | Failure
  | CheckpointSaved
  | FeederMark
  | SourceSwitched
  | TeacherChanged
  | ReplicaState;

export interface Event {
  /** Sender, sequence and step at that moment. */
  readonly header: Header;
  readonly fact: Fact;
}

/** Events and commands are small; a larger message is not one, bytes. */
export const MAX_CONTROL_BYTES = 64 * 1024;

const ATTEMPT = "decode an event";

/** @throws KnowledgeNetError KN_NUMERIC on a figure that is not finite; RangeError on an invalid event. */
export function encodeEvent({ header, fact }: Event): Uint8Array {
  return wire.Event.encode({ header: writeHeader(header), ...writeFact(fact) }).finish();
}

/** Nothing of the result lies in `data`. @throws KnowledgeNetError KN_DECODE. */
export function decodeEvent(data: Uint8Array): Event {
  return decodeWire(wire.Event, data, { attempt: ATTEMPT, maxBytes: MAX_CONTROL_BYTES }, (fields) => ({
    header: readHeader(ATTEMPT, fields.header),
    fact: readFact(fields),
  }));
}

function writeFact(fact: Fact): EventFields {
  switch (fact.kind) {
    case "Progress":
      return { progress: writeProgress(fact) };
    case "EvaluationMeasured":
      return { evaluationMeasured: writeEvaluation(fact) };
    case "StateEntered":
      return { stateEntered: { state: writeStateName(fact.state) } };
    case "Failure":
      return { failure: writeFailure(fact) };
    case "CheckpointSaved":
      return { checkpointSaved: writeCheckpointSaved(fact) };
    case "FeederMark":
      return { feederMark: writeFeederMark(fact) };
    case "SourceSwitched":
      return { sourceSwitched: writeSourceSwitched(fact) };
    case "TeacherChanged":
      return { teacherChanged: writeTeacherChanged(fact) };
    case "ReplicaState":
      return { replicaState: writeReplicaState(fact) };
  }
}

function readFact(fields: EventFields): Fact {
  const { progress, evaluationMeasured, stateEntered, failure, checkpointSaved, feederMark } = fields;
  const { sourceSwitched, teacherChanged, replicaState } = fields;
  if (progress) return readProgress(ATTEMPT, progress);
  if (evaluationMeasured) return readEvaluation(ATTEMPT, evaluationMeasured);
  if (stateEntered) return readStateEntered(ATTEMPT, stateEntered);
  if (failure) return readFailure(ATTEMPT, failure);
  if (checkpointSaved) return readCheckpointSaved(ATTEMPT, checkpointSaved);
  if (feederMark) return readFeederMark(ATTEMPT, feederMark);
  if (sourceSwitched) return readSourceSwitched(ATTEMPT, sourceSwitched);
  if (teacherChanged) return readTeacherChanged(ATTEMPT, teacherChanged);
  if (replicaState) return readReplicaState(ATTEMPT, replicaState);
  throw refusal(ATTEMPT, "it must have a known fact", "none");
}
