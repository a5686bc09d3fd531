/**
 * Follows a stream of observations with one student: tests the live release and a candidate on each before anything is
 * trained on it, promotes, refuses, rolls back, and makes the next candidate. Everything follows from the options, the
 * state and the inputs in their order: after a crash it goes on from a saved state and does the same again.
 *
 * A round is judged together, and the live release watched after it. Where it is called for, a new candidate is trained at
 * the end of a window, or when the one before is decided.
 */
import { createReplayMemory, type ReplayMemory, type ReplayState, suddenFall } from "../../continuous/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import { extendChain, NO_UPDATES } from "../../models/updates/index.ts";
import { anchorFrom, startShareOf } from "./anchor.ts";
import { decideCandidate, dropCandidate, sendAnchor, watchLive } from "./decide-candidate.ts";
import { anchorEvent, createFollowerCore, type FollowerCore, type FollowStep, fullUpdate } from "./follower-core.ts";
import type { FollowedInput, FollowerDeps, FollowerOptions, FollowerStart } from "./follower-options.ts";
import {
  type FollowerState,
  NO_LABELS,
  NOTHING_SEEN,
  readFollowerState,
  writeFollowerState,
} from "./follower-state.ts";
import {
  countRound,
  testCandidate,
  withEndedEvidence,
  withFall,
  withNextWindow,
  withWatchedWindow,
} from "./follower-transitions.ts";
import { keepLabels, measureRound } from "./label-rounds.ts";
import { rehearsalOf } from "./rehearsal.ts";
import { trainCandidate } from "./train-candidate.ts";
import { describeWindow } from "./window-figures.ts";

export interface Follower {
  readonly state: FollowerState;
  readonly replay: ReplayMemory;
  /**
   * Rejects when the lab or the oracle fails: then the follower is of no use, and another one goes on from a saved state.
   * @param inputs one round
   */
  observe(inputs: readonly FollowedInput[]): Promise<FollowStep>;
  /** A full update of what is live, for a device that asks. */
  anchor(): FollowStep;
  /** Borrows the arrays of the state: to be encoded at once. */
  snapshot(): SafetensorsContent;
}

/** Opens a follower that begins: its first update is a full one of the live release. */
export async function startFollower(
  options: FollowerOptions,
  deps: FollowerDeps,
  { weights, number = 1 }: FollowerStart,
): Promise<{ readonly follower: Follower; readonly step: FollowStep }> {
  const { lab, anchor } = deps;
  const built = fullUpdate(options, deps, { number, weights });
  await lab.hold(number, weights);
  const rehearsal = anchor === undefined ? undefined : await rehearsalOf(anchor.rehearsal, number, deps);
  const startShare = anchor === undefined ? undefined : await startShareOf(anchor.test, number, options, lab);
  const state: FollowerState = {
    position: -1,
    window: 0,
    open: NOTHING_SEEN,
    live: { number, weights },
    watched: { before: NO_LABELS, windows: [] },
    onTrial: NO_LABELS,
    chain: extendChain(NO_UPDATES, built.update),
    candidates: 0,
    nextNumber: number + 1,
    reference: { confidences: [], right: [] },
    rounds: [],
    ...(anchor === undefined || startShare === undefined ? {} : { anchor: { ...anchor.test, startShare } }),
    ...(rehearsal === undefined ? {} : { rehearsal }),
  };
  const follower = createFollower(options, deps, state, newReplay(options));
  return { follower, step: { events: [anchorEvent(state, built)], updates: [built], offer: undefined } };
}

/** Goes on from a saved state. Rejects with KN_CHECKPOINT when it is none. */
export async function resumeFollower(
  options: FollowerOptions,
  deps: FollowerDeps,
  saved: SafetensorsContent,
): Promise<Follower> {
  const { state, replay } = readFollowerState(saved);
  for (const each of [state.live, state.previous, state.candidate]) {
    if (each !== undefined) await deps.lab.hold(each.number, each.weights);
  }
  return createFollower(options, deps, state, newReplay(options, replay));
}

function newReplay(options: FollowerOptions, saved?: ReplayState): ReplayMemory {
  const { seed, classes, sampleShape, dtype, training } = options;
  const { replay: capacity, recentWindows } = training;
  return createReplayMemory({ seed, classes, sampleShape: [...sampleShape], dtype, capacity, recentWindows }, saved);
}

/** An edge that cannot compute two releases would block what may be better: some windows of a backlog, and then some. */
const MOST_UNSEEN_WINDOWS = 20;

function createFollower(
  options: FollowerOptions,
  deps: FollowerDeps,
  initial: FollowerState,
  replay: ReplayMemory,
): Follower {
  const core = createFollowerCore(options, deps, replay, initial);
  const { observations, roundObservations } = options.window;
  return {
    get state() {
      return core.state;
    },
    replay,
    async observe(inputs) {
      if (inputs.length !== roundObservations) {
        throw new RangeError(`a round must have ${roundObservations} observations, not ${inputs.length}`);
      }
      const { round, logits, version } = await measureRound(core, inputs);
      core.state = testCandidate(countRound(core.state, round), round, options);
      const isNextDue = await decideCandidate(core);
      await watchLive(core);
      const hasFallen = await noticeFall(core);
      const { window } = core.state;
      const samples = inputs.map(({ values }) => ({ values, window }));
      keepLabels(core, samples, logits, version);
      if (core.state.open.observations >= observations) await closeWindow(core, version);
      // The world does not wait for the end of a window.
      else if (hasFallen || (isNextDue && isBehind(core))) await trainCandidate(core);
      return core.take();
    },
    anchor() {
      sendAnchor(core);
      return core.take();
    },
    snapshot: () => writeFollowerState(core.state, replay.state()),
  };
}

/**
 * A candidate of the world before is of no use, and what was recent then is past: of few new samples among many old ones
 * training learns little. @returns whether it is so
 */
async function noticeFall(core: FollowerCore): Promise<boolean> {
  const { rounds, window, open } = core.state;
  const newest = suddenFall(rounds);
  if (newest === 0) return false;
  await dropCandidate(core, "the world has changed since it was made");
  core.state = withFall(core.state);
  const { roundObservations } = core.options.window;
  core.replay.startEra(newest * roundObservations > open.observations ? window - 1 : window);
  return true;
}

async function closeWindow(core: FollowerCore, version: string): Promise<void> {
  const { options, deps, replay } = core;
  core.state = withEndedEvidence(core.state);
  const unseen = core.state.candidate?.unseenWindows ?? 0;
  if (unseen >= MOST_UNSEEN_WINDOWS) await dropCandidate(core, "no edge has compared it");
  await decideCandidate(core);
  if (core.state.anchor === undefined) {
    const anchor = await anchorFrom(replay, core.state.live.number, options, deps.lab);
    core.state = { ...core.state, anchor };
  }
  const held = replay.recent.length + replay.past.reduce((sum, { length }) => sum + length, 0);
  const { event, adwin } = describeWindow(core.state, { oracle: version, replay: held });
  core.note(event);
  core.state = withWatchedWindow({ ...core.state, adwin });
  if (core.state.candidate === undefined && (isBehind(core) || event.drift.length > 0)) await trainCandidate(core);
  core.state = withNextWindow(core.state);
}

/** Of all observations, though not all were chosen by chance: a wrong answer is a reason to train, not an estimate. */
function isBehind({ state: { open }, options }: FollowerCore): boolean {
  return 1 - open.wrong / open.observations < options.training.below;
}
