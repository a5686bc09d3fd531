/**
 * Follows a stream of observations with one student: tests the live release and a candidate on each before anything is
 * trained on it, promotes, refuses, rolls back, and makes the next candidate. Everything follows from the options, the
 * state and the inputs in their order: after a crash it goes on from a saved state and does the same again.
 *
 * A round is judged together, and the live release watched after it. Where it is called for, a new candidate is trained at
 * the end of a window, or when the one before is decided.
 */
import {
  createReplayMemory,
  judge as judgeByRules,
  type Judgement,
  type ReplayMemory,
  type ReplayState,
  watchRollback,
} from "../../continuous/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import { stack } from "../../messages/index.ts";
import { type BuiltUpdate, buildUpdate, extendChain, isAnchorDue, NO_UPDATES } from "../../models/updates/index.ts";
import { anchorFrom, measureAnchor, startShareOf } from "./anchor.ts";
import { classesOf } from "./answers.ts";
import type { FollowEvent } from "./follow-events.ts";
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
  promoted,
  rolledBack,
  type Round,
  testCandidate,
  withCandidate,
  withEndedEvidence,
  withNextWindow,
  withoutCandidate,
  withUndecided,
  withWatchedWindow,
} from "./follower-transitions.ts";
import { makeCandidate } from "./make-candidate.ts";
import { rehearsalOf } from "./rehearsal.ts";
import { type SentUpdate, sentUpdate } from "./sent-update.ts";
import { describeWindow } from "./window-figures.ts";

export interface FollowStep {
  readonly events: readonly FollowEvent[];
  /** For devices, in this order: to be sent when the state is saved, and again after a crash. */
  readonly updates: readonly SentUpdate[];
  /** What is to compute beside the live release after that; undefined: nothing. */
  readonly offer: SentUpdate | undefined;
}

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

function fullUpdate(
  { model }: Pick<FollowerOptions, "model">,
  { signer }: Pick<FollowerDeps, "signer">,
  { number, weights }: FollowerState["live"],
): BuiltUpdate {
  const signing = signer === undefined ? {} : { signer };
  return buildUpdate({ model, number, trained: weights, content: { kind: "full" }, ...signing });
}

function anchorEvent({ window }: FollowerState, { bytes, result }: BuiltUpdate): FollowEvent {
  return { kind: "anchor", window, number: result.number, bytes: bytes.length };
}

/** An edge that cannot compute two releases would block what may be better: some windows of a backlog, and then some. */
const MOST_UNSEEN_WINDOWS = 20;

function createFollower(
  options: FollowerOptions,
  deps: FollowerDeps,
  initial: FollowerState,
  replay: ReplayMemory,
): Follower {
  const { lab, oracle, judge = judgeByRules } = deps;
  const { classes, model, window: windows, gate } = options;
  let state = initial;
  let events: FollowEvent[] = [];
  let updates: SentUpdate[] = [];
  let offered: SentUpdate | undefined;

  /** Weights that no number of the state names are let go. */
  const moveTo = async (next: FollowerState): Promise<void> => {
    const kept = [next.live, next.previous, next.candidate].map((each) => each?.number);
    const before = [state.live, state.previous, state.candidate];
    state = next;
    for (const each of before) {
      if (each !== undefined && !kept.includes(each.number)) await lab.drop(each.number);
    }
  };

  const measure = async (inputs: readonly FollowedInput[]) => {
    const { version, logits } = await oracle.label(inputs.map(({ values }) => values));
    await changeOracle(version);
    const answer = (key: number) => lab.answer(key, stack(inputs, options));
    const live = await answer(state.live.number);
    const previous = state.previous === undefined ? undefined : await answer(state.previous.number);
    const candidate = state.candidate === undefined ? undefined : await answer(state.candidate.number);
    const round: Round = {
      inputs,
      labels: classesOf(logits, classes),
      live: classesOf(live.logits, classes),
      liveLogits: live.logits,
      ...(previous === undefined ? {} : { previous: classesOf(previous.logits, classes) }),
      ...(candidate === undefined
        ? {}
        : {
            candidate: {
              answers: classesOf(candidate.logits, classes),
              nonFinite: candidate.nonFiniteRows.length,
            },
          }),
    };
    return { round, logits, version };
  };

  /** Labels of two oracles are not mixed: what the first one labelled is labelled anew, and evidence by it is void. */
  const changeOracle = async (version: string): Promise<void> => {
    const { oracle: from } = state;
    if (from === version) return;
    state = { ...state, oracle: version };
    if (from === undefined) return;
    events.push({ kind: "oracle", window: state.window, from, to: version });
    await dropCandidate("the oracle has changed: its labels were another's");
    replay.startVersion(version);
    await offer(replay.stale, version);
  };

  const offer = async (
    samples: readonly { readonly values: Uint8Array | Float32Array; readonly window: number }[],
    version: string,
  ): Promise<void> => {
    for (let at = 0; at < samples.length; at += windows.observations) {
      const part = samples.slice(at, at + windows.observations);
      const labelled = await oracle.label(part.map(({ values }) => values));
      if (labelled.version !== version) return; // it has changed again: the next round notices
      keep(part, labelled.logits, version);
    }
  };

  const keep = (
    samples: readonly { readonly values: Uint8Array | Float32Array; readonly window: number }[],
    logits: Float32Array,
    oracleVersion: string,
  ): void => {
    for (const [row, { values, window }] of samples.entries()) {
      const softLabel = logits.slice(row * classes, (row + 1) * classes);
      replay.offer({ values, softLabel, oracleVersion, window });
    }
  };

  const dropCandidate = async (reason: string): Promise<void> => {
    const { candidate, window } = state;
    if (candidate === undefined) return;
    const { number, bytes } = candidate;
    events.push({ kind: "refusal", window, candidate: candidate.candidate, number, bytes: bytes.length, reason });
    await moveTo(withoutCandidate(state));
  };

  /** @returns whether the next candidate may follow at once: one that was refused as bad is no reason to hurry. */
  const decide = async (): Promise<boolean> => {
    const { candidate, window } = state;
    if (candidate === undefined) return false;
    const evidence = { windows: candidate.windows, ...candidate.facts };
    const judgement = judge(evidence, gate);
    if (judgement.verdict === "continue") return false;
    const { number, bytes } = candidate;
    const isPromoted = judgement.verdict === "promote";
    events.push({
      kind: isPromoted ? "promotion" : "refusal",
      window,
      ...{ candidate: candidate.candidate, number, bytes: bytes.length },
      decision: { evidence, rules: gate, judgement },
      reason: reasonOf(judgement),
    });
    if (!isPromoted) {
      await moveTo(isUndecided(judgement) ? withUndecided(state, candidate) : withoutCandidate(state));
      return isUndecided(judgement);
    }
    const sent = sentUpdate(bytes, model);
    updates.push(sent);
    await moveTo(promoted(state, candidate, sent.update));
    if (isAnchorDue(state.chain, options.update.anchorEvery)) sendAnchor();
    return true;
  };

  const sendAnchor = (): void => {
    const built = fullUpdate(options, deps, state.live);
    updates.push(built);
    events.push(anchorEvent(state, built));
    state = { ...state, chain: extendChain(state.chain, built.update) };
  };

  /** After each round, the open window's figures among the others: a bad release is not live until the window ends. */
  const watch = async (): Promise<void> => {
    const { previous, live, window } = state;
    if (previous === undefined) return;
    const found = watchRollback(withWatchedWindow(state).watched, options.watch);
    if (found.verdict === "keep") return;
    await dropCandidate("what it was made from was rolled back");
    const number = state.nextNumber;
    const built = buildUpdate({
      ...{ model, number, base: { number: live.number, tensors: live.weights } },
      ...{ trained: previous.weights, content: { kind: "restore" } },
      ...(deps.signer === undefined ? {} : { signer: deps.signer }),
    });
    await lab.hold(number, previous.weights);
    updates.push(built);
    const bytes = built.bytes.length;
    events.push({ kind: "rollback", window, from: live.number, to: previous.number, number, bytes, watch: found });
    await moveTo(rolledBack(state, number, built.update));
  };

  const train = async (): Promise<void> => {
    const { live, undecided, window, nextNumber: number } = state;
    const candidate = state.candidates + 1;
    const { rehearsal, oracle: version } = state;
    const request = { live, undecided, number, window, candidate, replay, rehearsal, oracle: version };
    const attempt = await unlessNumeric(() => makeCandidate(request, options, deps));
    if (attempt instanceof KnowledgeNetError) {
      events.push({
        kind: "refusal",
        window,
        candidate,
        number,
        bytes: 0,
        reason: `finite outputs: ${attempt.message}`,
      });
      state = { ...state, candidates: candidate, nextNumber: number + 1 };
      return;
    }
    const { built, facts: made } = attempt;
    await lab.hold(number, built.tensors);
    const anchored = await measureAnchor(state.anchor, live.number, number, options, lab);
    const latencyMs = await lab.compareLatency(live.number, number, windows.roundObservations);
    const { content } = made;
    const { bytes, tensors: weights } = built;
    events.push({ kind: "candidate", window, candidate, number, ...made });
    await moveTo(
      withCandidate(state, {
        candidate,
        number,
        weights,
        content,
        bytes,
        windows: [],
        counted: {},
        unseenWindows: 0,
        facts: { ...anchored, latencyMs },
      }),
    );
  };

  const closeWindow = async (version: string): Promise<void> => {
    state = withEndedEvidence(state);
    if ((state.candidate?.unseenWindows ?? 0) >= MOST_UNSEEN_WINDOWS) await dropCandidate("no edge has compared it");
    await decide();
    if (state.anchor === undefined) {
      state = { ...state, anchor: await anchorFrom(replay, state.live.number, options, lab) };
    }
    const held = replay.recent.length + replay.past.reduce((sum, { length }) => sum + length, 0);
    const { event, adwin } = describeWindow(state, { oracle: version, replay: held });
    events.push(event);
    state = { ...state, adwin };
    state = withWatchedWindow(state);
    if (state.candidate === undefined && (isBehind() || event.drift.length > 0)) await train();
    state = withNextWindow(state);
  };

  /** Of all observations, though not all were chosen by chance: a wrong answer is a reason to train, not an estimate. */
  const isBehind = (): boolean => 1 - state.open.wrong / state.open.observations < options.training.below;

  const taken = (): FollowStep => {
    const { candidate } = state;
    const isOffered = options.evidence === "edge" && candidate !== undefined;
    if (!isOffered) offered = undefined;
    else if (offered?.bytes !== candidate.bytes) offered = sentUpdate(candidate.bytes, model);
    const step = { events, updates, offer: offered };
    events = [];
    updates = [];
    return step;
  };

  return {
    get state() {
      return state;
    },
    replay,
    async observe(inputs) {
      if (inputs.length !== windows.roundObservations) {
        throw new RangeError(`a round must have ${windows.roundObservations} observations, not ${inputs.length}`);
      }
      const { round, logits, version } = await measure(inputs);
      state = testCandidate(countRound(state, round), round, options);
      const isNextDue = await decide();
      await watch();
      const { window } = state;
      keep(
        inputs.map(({ values }) => ({ values, window })),
        logits,
        version,
      );
      if (state.open.observations >= windows.observations) await closeWindow(version);
      // The world does not wait for the end of a window.
      else if (isNextDue && isBehind()) await train();
      return taken();
    },
    anchor() {
      sendAnchor();
      return taken();
    },
    snapshot: () => writeFollowerState(state, replay.state()),
  };
}

/** @returns the error where the work met a value that is not finite */
async function unlessNumeric<T>(work: () => Promise<T>): Promise<T | KnowledgeNetError> {
  try {
    return await work();
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_NUMERIC")) return error;
    throw error;
  }
}

/** Nothing speaks against it: its labels or windows are used up. */
function isUndecided({ reasons }: Judgement): boolean {
  return reasons.every(({ state, rule }) => state !== "broken" || rule === "label budget" || rule === "window budget");
}

/** The rule that was broken, or what was gained. */
function reasonOf({ verdict, reasons }: Judgement): string {
  const decisive =
    verdict === "promote"
      ? reasons.filter(({ rule }) => rule === "minimum effect")
      : reasons.filter(({ state }) => state === "broken");
  return decisive.map(({ rule, text }) => `${rule}: ${text}`).join("; ");
}
