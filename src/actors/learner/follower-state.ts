/** What a follower knows between two rounds, and its saved form. Plain data. */
import type {
  AdwinState,
  Agreements,
  Evidence,
  ReplayState,
  RoundAnswers,
  WatchedWindow,
  WindowEvidence,
} from "../../continuous/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { NamedTensors } from "../../models/index.ts";
import type { UpdateChain } from "../../models/updates/index.ts";
import type { CandidateMade } from "./follow-events.ts";
import type { Rehearsal } from "./rehearsal.ts";

export interface NumberedNetwork {
  readonly number: number;
  readonly weights: NamedTensors;
}

/** A window's figures so far. */
export interface OpenWindow {
  readonly observations: number;
  /** Of all of them, those that the live release answers otherwise than the oracle. */
  readonly wrong: number;
  /** Of the live release on the uniform inputs. */
  readonly uniform: Agreements;
  /** Of those, the ones since the last change of the live release. */
  readonly sinceLive: Agreements;
  /** Largest softmax output of the live release, of each uniform input. */
  readonly confidences: readonly number[];
  /** The live release was suddenly much worse than before. */
  readonly hasFallen: boolean;
  /** Uniform inputs where live and previous release differ and one of them alone is right. */
  readonly paired: { readonly live: number; readonly previous: number };
}

export interface Candidate extends NumberedNetwork {
  /** Counted over the run. */
  readonly candidate: number;
  readonly content: CandidateMade["content"];
  /** A SignedUpdate. */
  readonly bytes: Uint8Array;
  /** Ended windows, and the open one. */
  readonly windows: readonly WindowEvidence[];
  readonly facts: Pick<Evidence, "sets" | "latencyMs" | "nonFiniteOutputs">;
  /** That ended since it was offered, without a comparison by any edge. */
  readonly unseenWindows: number;
  /** Newest counts of the edges, by the start of their observer. */
  readonly counted: Readonly<Record<string, { readonly compared: number; readonly disagreements: number }>>;
}

export interface FollowerState {
  /** Of the last observation that was taken; -1: none. */
  readonly position: number;
  readonly window: number;
  readonly open: OpenWindow;
  readonly live: NumberedNetwork;
  /** Live before a promotion, while that is watched. */
  readonly previous?: NumberedNetwork;
  readonly watched: { readonly before: Agreements; readonly windows: readonly WatchedWindow[] };
  /** Of the live release on the uniform inputs that the candidate is tested on. */
  readonly onTrial: Agreements;
  readonly chain: UpdateChain;
  readonly candidate?: Candidate;
  /** Of the candidates since the last change of the live release that nothing spoke against: trained on, not served. */
  readonly undecided?: NamedTensors;
  /** Made so far. */
  readonly candidates: number;
  /** Of the next update: no two candidates have one number. */
  readonly nextNumber: number;
  readonly oracle?: string;
  /** Inputs that must not be forgotten; undefined until window 0 has ended, where no others were given. */
  readonly anchor?: { readonly inputs: TensorView; readonly labels: Int32Array; readonly startShare: number };
  /** Of the time before the stream, [n, ...sample], with the logits of the beginning. */
  readonly rehearsal?: Rehearsal;
  /** Confidences of window 0, and whether each was right. */
  readonly reference: { readonly confidences: readonly number[]; readonly right: readonly boolean[] };
  readonly adwin?: AdwinState;
  /** Since the live release, the candidate or the world changed. */
  readonly rounds: readonly RoundAnswers[];
}

export const NO_LABELS: Agreements = { labels: 0, right: 0 };

export const NOTHING_SEEN: OpenWindow = {
  observations: 0,
  wrong: 0,
  uniform: NO_LABELS,
  sinceLive: NO_LABELS,
  confidences: [],
  hasFallen: false,
  paired: { live: 0, previous: 0 },
};

type Small = Omit<FollowerState, "live" | "previous" | "candidate" | "undecided" | "anchor" | "rehearsal"> & {
  readonly live: number;
  readonly previous?: number;
  readonly candidate?: Omit<Candidate, "weights" | "bytes">;
  readonly anchor?: { readonly startShare: number };
};

const FORMAT = "1";

/** Arrays are not copied. */
export function writeFollowerState(state: FollowerState, replay: ReplayState): SafetensorsContent {
  const { live, previous, candidate, undecided, anchor, rehearsal, ...rest } = state;
  const small: Small = {
    ...rest,
    live: live.number,
    ...(previous === undefined ? {} : { previous: previous.number }),
    ...(candidate === undefined ? {} : { candidate: withoutArrays(candidate) }),
    ...(anchor === undefined ? {} : { anchor: { startShare: anchor.startShare } }),
  };
  const tensors: Record<string, TensorView> = {
    ...prefixed("live/", live.weights),
    ...prefixed("previous/", previous?.weights ?? {}),
    ...prefixed("candidate/", candidate?.weights ?? {}),
    ...prefixed("undecided/", undecided ?? {}),
    ...prefixed("replay/", replay.tensors),
  };
  if (candidate !== undefined) {
    tensors["update"] = { dtype: "u8", shape: [candidate.bytes.length], values: candidate.bytes };
  }
  if (anchor !== undefined) {
    tensors["anchor/inputs"] = anchor.inputs;
    tensors["anchor/labels"] = { dtype: "i32", shape: [anchor.labels.length], values: anchor.labels };
  }
  if (rehearsal !== undefined) {
    const { inputs, logits } = rehearsal;
    tensors["rehearsal/inputs"] = inputs;
    tensors["rehearsal/logits"] = { dtype: "f32", shape: [logits.length], values: logits };
  }
  const metadata: Record<string, string> = { format: FORMAT, state: JSON.stringify(small) };
  for (const [key, value] of Object.entries(replay.metadata)) metadata[`replay/${key}`] = value;
  return { metadata, tensors };
}

/** @throws KnowledgeNetError KN_CHECKPOINT for another format */
export function readFollowerState({ metadata, tensors }: SafetensorsContent): {
  readonly state: FollowerState;
  readonly replay: ReplayState;
} {
  const text = metadata["state"];
  if (metadata["format"] !== FORMAT || text === undefined) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: "go on with a continuous run",
      rule: `its state must be of format ${FORMAT}`,
      value: metadata["format"] ?? "none",
      remedy: "go on with the version that wrote it, or begin a run under another name",
    });
  }
  const { live, previous, candidate, anchor, ...rest } = JSON.parse(text) as Small;
  const [rehearsed, logits] = [tensors["rehearsal/inputs"], tensors["rehearsal/logits"]];
  const undecided = unprefixed("undecided/", tensors);
  const [inputs, labels, update] = [tensors["anchor/inputs"], tensors["anchor/labels"], tensors["update"]];
  return {
    state: {
      ...rest,
      live: { number: live, weights: unprefixed("live/", tensors) },
      ...(previous === undefined ? {} : { previous: { number: previous, weights: unprefixed("previous/", tensors) } }),
      ...(candidate === undefined
        ? {}
        : {
            candidate: {
              ...candidate,
              weights: unprefixed("candidate/", tensors),
              bytes: update?.values as Uint8Array,
            },
          }),
      ...(Object.keys(undecided).length === 0 ? {} : { undecided }),
      ...(anchor === undefined || inputs === undefined
        ? {}
        : { anchor: { ...anchor, inputs, labels: labels?.values as Int32Array } }),
      ...(rehearsed === undefined ? {} : { rehearsal: { inputs: rehearsed, logits: logits?.values as Float32Array } }),
    },
    replay: {
      metadata: unprefixed("replay/", metadata),
      tensors: unprefixed("replay/", tensors),
    },
  };
}

function withoutArrays({
  weights: _weights,
  bytes: _bytes,
  ...candidate
}: Candidate): Omit<Candidate, "weights" | "bytes"> {
  return candidate;
}

function prefixed<T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]));
}

function unprefixed<T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
    ),
  );
}
