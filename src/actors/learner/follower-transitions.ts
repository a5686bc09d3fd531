/** How a follower's state changes, apart from what is computed and sent. Pure. */
import { type Agreements, type LabelledPair, labelsLeft, type WindowEvidence } from "../../continuous/index.ts";
import { extendChain } from "../../models/updates/index.ts";
import type { BuiltUpdate } from "../../models/updates/index.ts";
import { confidenceOf } from "./answers.ts";
import type { FollowedInput, FollowerOptions } from "./follower-options.ts";
import { type Candidate, type FollowerState, NO_LABELS, NOTHING_SEEN, type NumberedNetwork } from "./follower-state.ts";

/** Inputs of a round with the class that each answers. */
export interface Round {
  readonly inputs: readonly FollowedInput[];
  /** By the oracle. */
  readonly labels: readonly number[];
  readonly live: readonly number[];
  /** Of the live release, [n, classes]. */
  readonly liveLogits: Float32Array;
  /** Of those that there are. */
  readonly previous?: readonly number[];
  readonly candidate?: { readonly answers: readonly number[]; readonly nonFinite: number };
}

/** The figures of the live release, and of the one before beside it. */
export function countRound(state: FollowerState, { inputs, labels, live, liveLogits, previous }: Round): FollowerState {
  const { open } = state;
  const classes = liveLogits.length / inputs.length;
  const uniform = inputs.flatMap(({ stratum }, row) => (stratum === "uniform" ? [row] : []));
  const right = uniform.map((row) => live[row] === labels[row]);
  const confidences = uniform.map((row) => confidenceOf(liveLogits.subarray(row * classes, (row + 1) * classes)));
  const differing = previous === undefined ? [] : uniform.filter((row) => previous[row] !== live[row]);
  const wrong = live.filter((answer, row) => answer !== labels[row]).length;
  const seen = { labels: right.length, right: right.filter(Boolean).length };
  const { reference } = state;
  return {
    ...state,
    position: inputs.at(-1)?.position ?? state.position,
    onTrial: sum(state.onTrial, seen),
    rounds: [...state.rounds, { answers: inputs.length, wrong }],
    open: {
      ...open,
      observations: open.observations + inputs.length,
      wrong: open.wrong + wrong,
      uniform: sum(open.uniform, seen),
      sinceLive: sum(open.sinceLive, seen),
      confidences: [...open.confidences, ...confidences],
      paired: {
        live: open.paired.live + differing.filter((row) => live[row] === labels[row]).length,
        previous: open.paired.previous + differing.filter((row) => previous?.[row] === labels[row]).length,
      },
    },
    ...(state.window > 0
      ? {}
      : {
          reference: {
            confidences: [...reference.confidences, ...confidences],
            right: [...reference.right, ...right],
          },
        }),
  };
}

const sum = (one: Agreements, other: Agreements): Agreements => ({
  labels: one.labels + other.labels,
  right: one.right + other.right,
});

type TestOptions = Pick<FollowerOptions, "evidence" | "gate" | "classes">;

/**
 * The evidence of the candidate. Uniform inputs are asked in their order: the first ones whatever the answers are, for the
 * estimates, then inputs where the answers differ, for the decision, within the budget of labels. Each disagreement had the
 * same chance to be observed: as a uniform input, or for its disagreement.
 */
export function testCandidate(state: FollowerState, round: Round, options: TestOptions): FollowerState {
  const { candidate } = state;
  const { inputs, labels, live, candidate: tested } = round;
  if (candidate === undefined || tested === undefined) return state;
  const isOpen = candidate.windows.at(-1)?.window === state.window;
  const ended = isOpen ? candidate.windows.slice(0, -1) : candidate.windows;
  let open = (isOpen ? candidate.windows.at(-1) : undefined) ?? newWindow(state.window, options);
  let { counted } = candidate;
  let isCompared = options.evidence === "uniform" || isOpen;
  for (const [row, input] of inputs.entries()) {
    const [label, own, other] = [labels[row], live[row], tested.answers[row]];
    if (label === undefined || own === undefined || other === undefined) continue;
    const pair = { label, live: own, candidate: other };
    const left = labelsLeft({ windows: [...ended, open] }, options.gate);
    if (options.evidence === "uniform") {
      if (input.stratum !== "uniform") continue;
      open = withInput(open, pair, stratumOf(left, true, own !== other));
      continue;
    }
    const { comparison } = input;
    if (comparison?.candidate !== candidate.number) continue;
    const { epoch, compared, disagreements, disagrees } = comparison;
    const before = counted[epoch] ?? { compared: 0, disagreements: 0 };
    counted = { ...counted, [epoch]: { compared, disagreements } };
    isCompared = true;
    open = {
      ...open,
      inputs: open.inputs + Math.max(0, compared - before.compared),
      disagreements: open.disagreements + Math.max(0, disagreements - before.disagreements),
    };
    // The last bits of logits depend on the batch: a tie that is none here counts as neither.
    if (disagrees !== (own !== other)) continue;
    const stratum = stratumOf(left, input.stratum === "uniform", disagrees);
    if (stratum !== undefined) open = { ...open, labels: [...open.labels, { stratum, ...pair }] };
  }
  const nonFiniteOutputs = candidate.facts.nonFiniteOutputs + tested.nonFinite;
  const facts = { ...candidate.facts, nonFiniteOutputs };
  // A window without a comparison says nothing about it: the edge does not have it yet, or these inputs came before it.
  const windows = isCompared ? [...ended, open] : ended;
  return { ...state, candidate: { ...candidate, windows, facts, counted } };
}

/** On the edge nobody counts by class where both agree: recall is then judged on sets alone. */
function newWindow(window: number, { evidence, classes }: TestOptions): WindowEvidence {
  const agreed = evidence === "edge" ? {} : { agreed: Array.from({ length: classes }, () => 0) };
  return { window, inputs: 0, disagreements: 0, labels: [], ...agreed, isOpen: true };
}

function stratumOf(
  left: ReturnType<typeof labelsLeft>,
  isUniform: boolean,
  isDisagreement: boolean,
): LabelledPair["stratum"] | undefined {
  if (isUniform && left.uniform > 0) return "uniform";
  return isDisagreement && left.disagreements > 0 ? "disagreement" : undefined;
}

function withInput(
  open: WindowEvidence,
  pair: Pick<LabelledPair, "label" | "live" | "candidate">,
  stratum: LabelledPair["stratum"] | undefined,
): WindowEvidence {
  const isAgreed = pair.live === pair.candidate;
  return {
    ...open,
    inputs: open.inputs + 1,
    disagreements: open.disagreements + Number(!isAgreed),
    agreed: (open.agreed ?? []).map((inputs, each) => inputs + Number(isAgreed && each === pair.live)),
    labels: stratum === undefined ? open.labels : [...open.labels, { stratum, ...pair }],
  };
}

/** No more labels of this window will come. */
export function withEndedEvidence(state: FollowerState): FollowerState {
  const { candidate } = state;
  if (candidate === undefined) return state;
  const windows = candidate.windows.map((each) => ({ ...each, isOpen: false }));
  const unseenWindows = windows.length === 0 ? candidate.unseenWindows + 1 : 0;
  return { ...state, candidate: { ...candidate, windows, unseenWindows } };
}

export function withCandidate(state: FollowerState, candidate: Candidate): FollowerState {
  const nextNumber = candidate.number + 1;
  return { ...state, candidates: candidate.candidate, nextNumber, candidate, onTrial: NO_LABELS, rounds: [] };
}

/** It is refused, and what it had learned with it. */
export function withoutCandidate({ candidate: _gone, undecided: _from, ...state }: FollowerState): FollowerState {
  return state;
}

/** The world is another one: what is usual has to be learned anew. */
export function withFall(state: FollowerState): FollowerState {
  return { ...withoutCandidate(state), rounds: [], open: { ...state.open, hasFallen: true } };
}

/** It is refused for want of evidence: the next one goes on from it. New statistics alone are made anew. */
export function withUndecided(state: FollowerState, { content, weights }: Candidate): FollowerState {
  const rest = withoutCandidate(state);
  return content === "batch-norm" ? rest : { ...rest, undecided: weights };
}

/** The candidate is live; the release before it stays beside it, to be compared with. */
export function promoted(
  state: FollowerState,
  { number, weights }: NumberedNetwork,
  update: BuiltUpdate["update"],
): FollowerState {
  const { live, onTrial, open, chain } = state;
  return {
    ...withoutCandidate(state),
    live: { number, weights },
    previous: live,
    watched: { before: onTrial, windows: [] },
    rounds: [],
    open: { ...open, sinceLive: NO_LABELS, paired: NOTHING_SEEN.paired },
    chain: extendChain(chain, update),
  };
}

/** The weights of the previous release are live, under a new number. */
export function rolledBack(state: FollowerState, number: number, update: BuiltUpdate["update"]): FollowerState {
  const { previous, ...rest } = withoutCandidate(state);
  return {
    ...rest,
    nextNumber: number + 1,
    live: { number, weights: previous?.weights ?? rest.live.weights },
    watched: { before: NO_LABELS, windows: [] },
    rounds: [],
    open: { ...rest.open, sinceLive: NO_LABELS, paired: NOTHING_SEEN.paired },
    chain: extendChain(rest.chain, update),
  };
}

/** The open window's figures join those that the watch has of the live release. */
export function withWatchedWindow(state: FollowerState): FollowerState {
  const { watched, open, window, previous } = state;
  if (previous === undefined) return state;
  const ended = { window, uniform: open.sinceLive, paired: open.paired };
  return { ...state, watched: { ...watched, windows: [...watched.windows, ended] } };
}

export function withNextWindow(state: FollowerState): FollowerState {
  return { ...state, window: state.window + 1, open: NOTHING_SEEN };
}
