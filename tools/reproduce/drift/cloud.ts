/** The cloud's side of an arm: observations in, updates out. */
import type { Comparison } from "../../../src/actors/learner/index.ts";
import type { Observation } from "../../../src/continuous/index.ts";

/** With what the edge found out about a candidate. */
export type EdgeObservation = Observation & { readonly comparison?: Comparison };

export interface CloudUpdate {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

export interface CloudCounts {
  /** That the oracle was asked for. */
  readonly labels: number;
  readonly promotions: number;
  readonly refusals: number;
  readonly rollbacks: number;
}

export interface CloudDecision {
  readonly verdict: "promote" | "refuse";
  readonly labels: number;
}

export interface Cloud extends AsyncDisposable {
  readonly counts: CloudCounts;
  /** Update that is to compute beside the live release. */
  readonly offer?: Uint8Array | undefined;
  /** On candidates by the gate, so far. */
  readonly decisions?: readonly CloudDecision[];
  /** Where a candidate was poisoned and decided on. */
  readonly poisonRefused?: boolean | undefined;
  /** Decisions as one line each. */
  readonly events: readonly string[];
  /** What a part of a window brought. @returns updates for the edge, in order */
  observe(window: number, observations: readonly EdgeObservation[]): Promise<readonly CloudUpdate[]>;
  /** After the last part of a window. */
  endWindow(window: number): Promise<readonly CloudUpdate[]>;
}
