/** Commands of the coordinator to one actor on `ctl.<actor>`, and their replies. Every command is idempotent. */
import { type CommandFields, type CommandReplyFields, wire } from "../generated/knowledgenet.ts";
import { decodeWire } from "../wire/bounded-reader.ts";
import { readCount } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { MAX_CONTROL_BYTES } from "./event.ts";
import {
  type CheckpointSaved,
  type EvaluationMeasured,
  type Progress,
  readCheckpointSaved,
  readEvaluation,
  readProgress,
  readStateName,
  writeCheckpointSaved,
  writeEvaluation,
  writeProgress,
  writeStateName,
} from "./facts.ts";
import { type Failure, readFailure, writeFailure } from "./failure.ts";

export type Command =
  | { readonly kind: "StartFeeding" }
  | { readonly kind: "PauseFeeding" }
  /** `generation` counts from 1, the same for all actors of the run. */
  | { readonly kind: "SaveCheckpoint"; readonly generation: number }
  /** Save `generation` when its step is reached. */
  | { readonly kind: "PrepareCheckpoint"; readonly generation: number }
  /** Forget the prepared `generation`. */
  | { readonly kind: "AbandonCheckpoint"; readonly generation: number }
  | { readonly kind: "StopActor" }
  | { readonly kind: "ReportState" }
  /** `version` counts from 1. */
  | { readonly kind: "UseTeacher"; readonly version: number };

/** State and figures of an actor. */
export interface ActorState {
  readonly kind: "ActorState";
  /** Name of the state as in the actor's chart. */
  readonly state: string;
  /** The figures of its last Progress event. */
  readonly progress: Progress;
  /** Of the last block only. */
  readonly evaluation?: EvaluationMeasured | undefined;
}

export type CommandReply = { readonly kind: "Done" } | CheckpointSaved | Failure | ActorState;

const COMMAND = { attempt: "decode a command", maxBytes: MAX_CONTROL_BYTES };
const REPLY = { attempt: "decode the answer to a command", maxBytes: MAX_CONTROL_BYTES };

/** @throws RangeError on a generation or version below 1. */
export function encodeCommand(command: Command): Uint8Array {
  return wire.Command.encode(writeCommand(command)).finish();
}

/** @throws KnowledgeNetError KN_DECODE. */
export function decodeCommand(data: Uint8Array): Command {
  return decodeWire(wire.Command, data, COMMAND, readCommand);
}

/** @throws KnowledgeNetError KN_NUMERIC on a figure that is not finite; RangeError on an invalid reply. */
export function encodeCommandReply(reply: CommandReply): Uint8Array {
  return wire.CommandReply.encode(writeReply(reply)).finish();
}

/** @throws KnowledgeNetError KN_DECODE. */
export function decodeCommandReply(data: Uint8Array): CommandReply {
  return decodeWire(wire.CommandReply, data, REPLY, readReply);
}

function writeCommand(command: Command): CommandFields {
  switch (command.kind) {
    case "StartFeeding":
      return { startFeeding: {} };
    case "PauseFeeding":
      return { pauseFeeding: {} };
    case "SaveCheckpoint":
      return { saveCheckpoint: writeGeneration(command) };
    case "PrepareCheckpoint":
      return { prepareCheckpoint: writeGeneration(command) };
    case "AbandonCheckpoint":
      return { abandonCheckpoint: writeGeneration(command) };
    case "StopActor":
      return { stopActor: {} };
    case "ReportState":
      return { reportState: {} };
    case "UseTeacher":
      if (command.version < 1) throw new RangeError(`Cannot use teacher ${command.version}: they count from 1`);
      return { useTeacher: { version: writeCount("version", command.version) } };
  }
}

function readCommand(fields: CommandFields): Command {
  if (fields.startFeeding) return { kind: "StartFeeding" };
  if (fields.pauseFeeding) return { kind: "PauseFeeding" };
  if (fields.stopActor) return { kind: "StopActor" };
  if (fields.reportState) return { kind: "ReportState" };
  if (fields.useTeacher) {
    const version = readCount(COMMAND.attempt, "version", fields.useTeacher.version);
    if (version < 1) throw refusal(COMMAND.attempt, "version must count from 1", version);
    return { kind: "UseTeacher", version };
  }
  if (fields.saveCheckpoint) return { kind: "SaveCheckpoint", ...readGeneration(fields.saveCheckpoint) };
  if (fields.prepareCheckpoint) return { kind: "PrepareCheckpoint", ...readGeneration(fields.prepareCheckpoint) };
  if (fields.abandonCheckpoint) return { kind: "AbandonCheckpoint", ...readGeneration(fields.abandonCheckpoint) };
  throw refusal(COMMAND.attempt, "it must have a known order", "none");
}

interface Generation {
  readonly generation: number;
}

function writeGeneration({ generation }: Generation): Generation {
  if (generation < 1) throw new RangeError(`cannot send generation ${generation}: generations count from 1`);
  return { generation: writeCount("generation", generation) };
}

function readGeneration(fields: { readonly generation?: number | null | undefined }): Generation {
  const generation = readCount(COMMAND.attempt, "generation", fields.generation);
  if (generation < 1) throw refusal(COMMAND.attempt, "generation must count from 1", generation);
  return { generation };
}

function writeReply(reply: CommandReply): CommandReplyFields {
  switch (reply.kind) {
    case "Done":
      return { done: {} };
    case "CheckpointSaved":
      return { checkpointSaved: writeCheckpointSaved(reply) };
    case "Failure":
      return { failure: writeFailure(reply) };
    case "ActorState": {
      const { state, progress, evaluation } = reply;
      return {
        actorState: {
          state: writeStateName(state),
          progress: writeProgress(progress),
          ...(evaluation === undefined ? {} : { evaluation: writeEvaluation(evaluation) }),
        },
      };
    }
  }
}

function readReply({ done, checkpointSaved, failure, actorState }: CommandReplyFields): CommandReply {
  const { attempt } = REPLY;
  if (done) return { kind: "Done" };
  if (checkpointSaved) return readCheckpointSaved(attempt, checkpointSaved);
  if (failure) return readFailure(attempt, failure);
  if (!actorState) throw refusal(attempt, "it must have a known outcome", "none");
  const { progress, evaluation } = actorState;
  if (!progress) throw refusal(attempt, "a state must come with its progress", "none");
  return {
    kind: "ActorState",
    state: readStateName(attempt, actorState.state),
    progress: readProgress(attempt, progress),
    ...(evaluation ? { evaluation: readEvaluation(attempt, evaluation) } : {}),
  };
}
