/** The releases of a replica, as it publishes them; every field as in events.proto. */
import { type HeldReleaseFields, type ReplicaStateFields, wire } from "../generated/knowledgenet.ts";
import { readCount, readText, readToken, readWord } from "../wire/fields.ts";
import { writeCount } from "../wire/header.ts";
import { refusal } from "../wire/refusal.ts";
import { readStateName, writeStateName } from "./facts.ts";
import { type Failure, readFailure, writeFailure } from "./failure.ts";

export type HeldRelease =
  | { readonly release: number; readonly state: "loading" | "ready" }
  | { readonly release: number; readonly state: "refused"; readonly failure: Failure };

export interface ReplicaState {
  readonly kind: "ReplicaState";
  /** Distinguishes the processes that were this actor. */
  readonly instance: string;
  readonly slice: number;
  readonly slices: number;
  readonly state: string;
  readonly held: readonly HeldRelease[];
  /** Batches that it has and has not answered. */
  readonly inFlight: number;
  /** Name of its machine. */
  readonly host: string;
}

/** Longest name of a machine, characters: that of a DNS name. */
export const MAX_HOST = 253;

const STATES = {
  loading: wire.HeldRelease.State.STATE_LOADING,
  ready: wire.HeldRelease.State.STATE_READY,
  refused: wire.HeldRelease.State.STATE_REFUSED,
} as const;

/** Releases in one message: a replica holds four at most, and remembers some that it has refused. */
const MAX_HELD = 32;

/** @throws RangeError on an invalid state. */
export function writeReplicaState({
  instance,
  slice,
  slices,
  state,
  held,
  inFlight,
  host,
}: ReplicaState): ReplicaStateFields {
  if (held.length > MAX_HELD) throw new RangeError(`Cannot send ${held.length} releases: at most ${MAX_HELD}`);
  return {
    instance,
    slice: writeCount("slice", slice),
    slices: writeCount("slices", slices),
    state: writeStateName(state),
    held: held.map((each): HeldReleaseFields => {
      const failure = each.state === "refused" ? { failure: writeFailure(each.failure) } : {};
      return { release: writeCount("release", each.release), state: STATES[each.state], ...failure };
    }),
    inFlight: writeCount("inFlight", inFlight),
    host: host.slice(0, MAX_HOST),
  };
}

/** @throws KnowledgeNetError KN_DECODE. */
export function readReplicaState(attempt: string, fields: ReplicaStateFields): ReplicaState {
  const slice = readCount(attempt, "slice", fields.slice);
  const slices = readCount(attempt, "slices", fields.slices);
  if (slice >= slices) throw refusal(attempt, `slice must be below slices, ${slices}`, slice);
  const held = fields.held ?? [];
  if (held.length > MAX_HELD) throw refusal(attempt, `held must have at most ${MAX_HELD} releases`, held.length);
  return {
    kind: "ReplicaState",
    instance: readToken(attempt, "instance", fields.instance),
    slice,
    slices,
    state: readStateName(attempt, fields.state),
    held: held.map((each) => readHeld(attempt, each)),
    inFlight: readCount(attempt, "in_flight", fields.inFlight),
    host: readText(attempt, "host", fields.host, MAX_HOST),
  };
}

function readHeld(attempt: string, fields: HeldReleaseFields): HeldRelease {
  const release = readCount(attempt, "release", fields.release);
  if (release < 1) throw refusal(attempt, "releases must count from 1", release);
  const state = readWord(attempt, "state", fields.state, STATES);
  if (state !== "refused") return { release, state };
  if (!fields.failure) throw refusal(attempt, "a refused release must come with its failure", "none");
  return { release, state, failure: readFailure(attempt, fields.failure) };
}
