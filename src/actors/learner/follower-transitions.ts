/** How a follower's state changes, apart from what is computed and sent. Pure. */
import {
  type Agreements,
  type GateRules,
  type LabelledPair,
  labelsLeft,
  type WindowEvidence,
} from "../../continuous/index.ts";
import { extendChain } from "../../models/updates/index.ts";
import type { BuiltUpdate } from "../../models/updates/index.ts";
import { confidenceOf } from "./answers.ts";
import type { FollowedInput } from "./follower-options.ts";
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
  const seen = { labels: right.length, right: right.filter(Boolean).length };
  const { reference } = state;
  return {
    ...state,
    position: inputs.at(-1)?.position ?? state.position,
    onTrial: sum(state.onTrial, seen),
    open: {
      observations: open.observations + inputs.length,
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

/**
 * The evidence of the candidate. Uniform inputs are asked in their order: the first ones whatever the answers are, for the
 * estimates, then those where the answers differ, for the decision, within the budget of labels.
 */
export function testCandidate(
  state: FollowerState,
  { inputs, labels, live, candidate: tested }: Round,
  { gate, classes }: { readonly gate: GateRules; readonly classes: number },
): FollowerState {
  const { candidate } = state;
  if (candidate === undefined || tested === undefined) return state;
  const isOpen = candidate.windows.at(-1)?.window === state.window;
  const ended = isOpen ? candidate.windows.slice(0, -1) : candidate.windows;
  let open: WindowEvidence = candidate.windows.at(isOpen ? -1 : candidate.windows.length) ?? {
    window: state.window,
    inputs: 0,
    disagreements: 0,
    labels: [],
    agreed: Array.from({ length: classes }, () => 0),
    isOpen: true,
  };
  for (const [row, { stratum }] of inputs.entries()) {
    const [label, own, other] = [labels[row], live[row], tested.answers[row]];
    if (stratum !== "uniform" || label === undefined || own === undefined || other === undefined) continue;
    const left = labelsLeft({ windows: [...ended, open] }, gate);
    const isAsked = own !== other && left.disagreements > 0;
    open = withInput(
      open,
      { label, live: own, candidate: other },
      left.uniform > 0 ? "uniform" : isAsked ? "disagreement" : undefined,
    );
  }
  const facts = {
    ...candidate.facts,
    nonFiniteOutputs: candidate.facts.nonFiniteOutputs + tested.nonFinite,
  };
  return { ...state, candidate: { ...candidate, windows: [...ended, open], facts } };
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
  return { ...state, candidate: { ...candidate, windows } };
}

export function withCandidate(state: FollowerState, candidate: Candidate): FollowerState {
  return { ...state, candidates: candidate.candidate, candidate, onTrial: NO_LABELS };
}

export function withoutCandidate({ candidate: _gone, ...state }: FollowerState): FollowerState {
  return state;
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
    open: { ...open, sinceLive: NO_LABELS, paired: NOTHING_SEEN.paired },
    chain: extendChain(chain, update),
  };
}

/** The weights of the previous release are live, under a new number. */
export function rolledBack(state: FollowerState, number: number, update: BuiltUpdate["update"]): FollowerState {
  const { previous, ...rest } = withoutCandidate(state);
  return {
    ...rest,
    live: { number, weights: previous?.weights ?? rest.live.weights },
    watched: { before: NO_LABELS, windows: [] },
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
