/** What the parts of a follower share: its state, and what is to be told and sent since it was last taken. */
import type { ReplayMemory } from "../../continuous/index.ts";
import { type BuiltUpdate, buildUpdate } from "../../models/updates/index.ts";
import type { FollowEvent } from "./follow-events.ts";
import type { FollowerDeps, FollowerOptions } from "./follower-options.ts";
import type { FollowerState } from "./follower-state.ts";
import { type SentUpdate, sentUpdate } from "./sent-update.ts";

export interface FollowStep {
  readonly events: readonly FollowEvent[];
  /** For devices, in this order: to be sent when the state is saved, and again after a crash. */
  readonly updates: readonly SentUpdate[];
  /** What is to compute beside the live release after that; undefined: nothing. */
  readonly offer: SentUpdate | undefined;
}

export interface FollowerCore {
  readonly options: FollowerOptions;
  readonly deps: FollowerDeps;
  readonly replay: ReplayMemory;
  state: FollowerState;
  note(event: FollowEvent): void;
  send(update: SentUpdate): void;
  /** The lab lets go of the weights that no number of the next state names. */
  moveTo(next: FollowerState): Promise<void>;
  /** @returns what was noted and sent since the last call */
  take(): FollowStep;
}

export function createFollowerCore(
  options: FollowerOptions,
  deps: FollowerDeps,
  replay: ReplayMemory,
  initial: FollowerState,
): FollowerCore {
  let events: FollowEvent[] = [];
  let updates: SentUpdate[] = [];
  let offered: SentUpdate | undefined;
  return {
    ...{ options, deps, replay, state: initial },
    note(event) {
      events.push(event);
    },
    send(update) {
      updates.push(update);
    },
    async moveTo(next) {
      const kept = [next.live, next.previous, next.candidate].map((each) => each?.number);
      const before = [this.state.live, this.state.previous, this.state.candidate];
      this.state = next;
      for (const each of before) {
        if (each !== undefined && !kept.includes(each.number)) await deps.lab.drop(each.number);
      }
    },
    take() {
      const { candidate } = this.state;
      const isOffered = options.evidence === "edge" && candidate !== undefined;
      if (!isOffered) offered = undefined;
      else if (offered?.bytes !== candidate.bytes) offered = sentUpdate(candidate.bytes, options.model);
      const step = { events, updates, offer: offered };
      events = [];
      updates = [];
      return step;
    },
  };
}

/** A full update of what is live, as device and learner have it. */
export function fullUpdate(
  { model }: Pick<FollowerOptions, "model">,
  { signer }: Pick<FollowerDeps, "signer">,
  { number, weights }: FollowerState["live"],
): BuiltUpdate {
  const signing = signer === undefined ? {} : { signer };
  return buildUpdate({ model, number, trained: weights, content: { kind: "full" }, ...signing });
}

export function anchorEvent({ window }: Pick<FollowerState, "window">, { bytes, result }: BuiltUpdate): FollowEvent {
  return { kind: "anchor", window, number: result.number, bytes: bytes.length };
}
