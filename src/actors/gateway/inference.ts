/**
 * A request for inference and its outcome, as every front end (HTTP, the bus, a program) exchanges them with a gateway.
 * Plain values; a refusal is a value too, since it is an ordinary outcome under load.
 */
import type { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import type { ModelManifest } from "../../run-spec/index.ts";

/** Interactive requests go first. */
export const PRIORITIES = ["interactive", "bulk"] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface InferenceRequest {
  /** [n, ...input], f32 or u8; every value finite, and not written to until the outcome. */
  readonly input: TensorView;
  /** Release to compute with. @default the live one, or a candidate's share */
  readonly release?: number;
  /** Whose share of the capacity it takes. @default "" */
  readonly client?: string;
  /** @default "interactive" */
  readonly priority?: Priority;
  /** Time until the answer is of no use any more, ms. @default the gateway's own limit */
  readonly timeoutMs?: number;
  /**
   * true: observers get the input, and the live release answers; refused where the gateway does not allow it. false: they do
   * not. @default the gateway's `observe`
   */
  readonly observe?: boolean;
  /** The answer is to bring the outputs of all slices before the last. @default false */
  readonly wantsActivations?: boolean;
  /** Takes the request out of the queue. */
  readonly signal?: AbortSignal;
}

export interface InferenceAnswer {
  readonly kind: "answer";
  /** Release that computed all of it. */
  readonly release: number;
  /** f32 [n, classes], owned by the caller. */
  readonly logits: TensorView;
  /** f32 [n, ...] of each slice before the last, owned by the caller; absent where they were not wanted. */
  readonly activations?: readonly TensorView[];
  /** Samples that were computed together, neighbours' included: the last bits depend on it. */
  readonly batch: number;
  /** Time in the queue, and from dispatch to result, ms. */
  readonly queueMs: number;
  readonly computeMs: number;
}

/**
 * - KN_CONFIG: no such release, or the gateway allows no observing; KN_SHAPE: not the shape of the input; KN_NUMERIC: the answer would not be finite
 * - KN_OVERLOADED: it would not be in time, or the queue is full; `retryAfterMs` is set
 * - KN_STALE: its time was over before it was computed
 * - KN_UNAVAILABLE: no replica is ready, the one that had it died, or the gateway drains
 */
export interface InferenceRefusal {
  readonly kind: "refusal";
  readonly error: KnowledgeNetError;
  readonly retryAfterMs?: number;
}

export type InferenceOutcome = InferenceAnswer | InferenceRefusal;

/** A release that is served now. */
export interface ServedRelease {
  readonly release: number;
  readonly manifest: ModelManifest;
}

/** A model behind a gateway, for a front end. */
export interface ServedModel {
  readonly name: string;
  /** Largest number of samples in one request. */
  readonly maxBatch: number;
  /** What requests without a release are answered with; undefined: nothing yet. */
  readonly live: ServedRelease | undefined;
  /** Releases that can be requested by number now, the live one among them, newest first. */
  readonly releases: readonly ServedRelease[];
  /** Why requests would be refused now; empty: ready. */
  readonly unready: readonly string[];
  /** Never rejects; resolves with KN_* refusals. Rejects only with `signal.reason` after an abort. */
  infer(request: InferenceRequest): Promise<InferenceOutcome>;
  /** The refusal of a request that the front end has no time to read, KN_OVERLOADED. It is counted. */
  refuseUnread(): InferenceRefusal;
}
