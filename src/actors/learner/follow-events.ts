/**
 * What a follower decided, and on what: one record of the run's history each. A promotion or refusal has the evidence, so
 * that `judge` finds the same again.
 */
import { z } from "zod";
import type { Evidence, GateRules, Judgement, Watch } from "../../continuous/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";

/** Shares in [0, 1], with their exact 95 % interval. */
export interface ShareEstimate {
  readonly right: number;
  readonly labels: number;
  readonly low: number;
  readonly high: number;
}

export interface WindowEnded {
  readonly kind: "window";
  readonly window: number;
  /** Position of the window's last observation. */
  readonly position: number;
  readonly observations: number;
  readonly live: number;
  /** Of the live release with the oracle, on the uniform inputs of the window. */
  readonly agreement: ShareEstimate;
  /** Mean confidence of the live release, and the accuracy that it suggests: alarms. */
  readonly confidence: number;
  readonly estimate?: { readonly atc: number; readonly differenceOfConfidences: number };
  /** Which detectors say that the inputs have changed. */
  readonly drift: readonly ("adwin" | "kolmogorov-smirnov" | "sudden fall")[];
  readonly oracle: string;
  /** Samples held for training. */
  readonly replay: number;
}

export interface CandidateMade {
  readonly kind: "candidate";
  readonly window: number;
  readonly candidate: number;
  /** That it has once it is promoted. */
  readonly number: number;
  readonly content: "batch-norm" | "masked" | "full";
  /** Of its update. */
  readonly bytes: number;
  readonly values: number;
  /** Share of the weights. */
  readonly fraction: number;
  /** Mean over the last quarter of its training; absent: it was not trained. */
  readonly loss?: number;
  readonly samples: number;
}

export interface Decided {
  readonly kind: "promotion" | "refusal";
  readonly window: number;
  readonly candidate: number;
  /** Of the update, which devices get after a promotion. */
  readonly number: number;
  readonly bytes: number;
  /** Absent for a candidate that was dropped with what it was made from: `reason` says why. */
  readonly decision?: { readonly evidence: Evidence; readonly rules: GateRules; readonly judgement: Judgement };
  readonly reason: string;
}

export interface RolledBack {
  readonly kind: "rollback";
  readonly window: number;
  /** Number that was live, and the one whose weights are live again, as `number`. */
  readonly from: number;
  readonly to: number;
  readonly number: number;
  readonly bytes: number;
  readonly watch: Watch;
}

export interface Anchored {
  readonly kind: "anchor";
  readonly window: number;
  /** A full update of what is live already. */
  readonly number: number;
  readonly bytes: number;
}

export interface OracleChanged {
  readonly kind: "oracle";
  readonly window: number;
  readonly from: string;
  readonly to: string;
}

export type FollowEvent = WindowEnded | CandidateMade | Decided | RolledBack | Anchored | OracleChanged;

const KINDS = ["window", "candidate", "promotion", "refusal", "rollback", "anchor", "oracle"] as const;
const envelope = z.looseObject({
  format: z.literal(1),
  sequence: z.int().min(0),
  atMs: z.number(),
  event: z.looseObject({ kind: z.enum(KINDS), window: z.int().min(0) }),
});

export interface RecordedEvent {
  /** Counts the events of the run, from 0. */
  readonly sequence: number;
  /** ms since 1970 */
  readonly atMs: number;
  readonly event: FollowEvent;
}

export function encodeFollowEvent({ sequence, atMs, event }: RecordedEvent): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format: 1, sequence, atMs, event }));
}

/** @throws KnowledgeNetError KN_DECODE for bytes that are no such record */
export function decodeFollowEvent(bytes: Uint8Array): RecordedEvent {
  try {
    // Written by the learner alone, under its fence: the rest of the shape is not checked again.
    const { sequence, atMs, event } = envelope.parse(
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    );
    return { sequence, atMs, event: event as unknown as FollowEvent };
  } catch (error) {
    throw new KnowledgeNetError("KN_DECODE", {
      attempt: "read the history of a continuous run",
      rule: "each record must be of format 1",
      value: `${bytes.length} bytes`,
      remedy: "read it with the version that wrote it",
      cause: error,
    });
  }
}
