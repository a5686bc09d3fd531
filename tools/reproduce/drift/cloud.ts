/** The cloud's side of an arm: observations in, updates out. */
import type { Observation } from "../../../src/continuous/index.ts";

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

export interface Cloud extends AsyncDisposable {
  readonly counts: CloudCounts;
  /** Where a candidate was poisoned and decided on. */
  readonly poisonRefused?: boolean | undefined;
  /** Decisions as one line each. */
  readonly events: readonly string[];
  /** What a part of a window brought. @returns updates for the edge, in order */
  observe(window: number, observations: readonly Observation[]): Promise<readonly CloudUpdate[]>;
  /** After the last part of a window. */
  endWindow(window: number): Promise<readonly CloudUpdate[]>;
}
