/**
 * Selects the auxiliary head or the gradient model for a boundary, by the measured quality of the latter.
 * A pure function of the observations, free of the tensor library: the block's actor holds it and switches its unit.
 *
 * Initial choice: the head at a boundary with height and width, where M learns slowly and a head is far better from the
 * first step; M at a flat boundary, where it is good at once (recipes).
 */
import type { AutoSpec } from "../../../run-spec/index.ts";

/**
 * Observations over which the cosine is averaged: one batch's cosine jumps by some 0.1, and a switch is meant to last
 * at least `dwellSteps` (100).
 */
const MEAN_OVER = 50;
const DECAY = 1 - 1 / MEAN_OVER;

/** The two that `auto` chooses between. */
export type AutoChoice = "synthetic" | "auxiliary";

export interface AutoPolicyOptions {
  readonly spec: AutoSpec;
  /** The boundary has height and width. */
  readonly isSpatial: boolean;
}

/** How M did on one batch. */
export interface AutoObservation {
  /** Step of that batch. */
  readonly step: number;
  /** Of M's prediction to the gradient that came back, -1 to 1. Ignored when it is not finite. */
  readonly cosine: number;
  /** Updates of M so far. */
  readonly updates: number;
}

export interface AutoSwitch {
  readonly from: AutoChoice;
  readonly to: AutoChoice;
  /** A sentence with the numbers, for the log. */
  readonly reason: string;
}

export interface AutoPolicy {
  readonly current: AutoChoice;
  /** Continues with the choice of a checkpoint. */
  resume(choice: AutoChoice): void;
  /**
   * Takes in one observation. Switches to M when the mean is above `enterCosine`, back when it is below `leaveCosine`,
   * `dwellSteps` after the last switch or the first observation at the earliest, and never before M has had as many
   * updates.
   */
  observe(observation: AutoObservation): AutoSwitch | undefined;
}

/** The choice at the start of a run. */
export function firstChoice(isSpatial: boolean): AutoChoice {
  return isSpatial ? "auxiliary" : "synthetic";
}

export function createAutoPolicy({ spec, isSpatial }: AutoPolicyOptions): AutoPolicy {
  const { enterCosine, leaveCosine, dwellSteps } = spec;
  let current = firstChoice(isSpatial);
  let weighted = 0;
  let observations = 0;
  let since: number | undefined; // step of the last switch, or of the first observation

  return {
    get current() {
      return current;
    },
    resume(choice) {
      current = choice;
    },
    observe({ step, cosine, updates }) {
      if (!Number.isFinite(cosine)) return undefined;
      weighted = DECAY * weighted + (1 - DECAY) * cosine;
      observations += 1;
      const mean = weighted / (1 - DECAY ** observations); // bias correction, as in Adam

      since = Math.min(since ?? step, step); // a run that restarted from a checkpoint counts from there
      if (step - since < dwellSteps || updates < dwellSteps) return undefined;
      const isEntering = current === "auxiliary" && mean > enterCosine;
      const isLeaving = current === "synthetic" && mean < leaveCosine;
      if (!isEntering && !isLeaving) return undefined;

      const from = current;
      current = isEntering ? "synthetic" : "auxiliary";
      since = step;
      const bound = isEntering ? `above ${enterCosine}` : `below ${leaveCosine}`;
      const reason =
        `the gradient model's mean cosine to the returned gradient is ${mean.toFixed(3)}, ${bound}, ` +
        `at step ${step} after ${updates} updates`;
      return { from, to: current, reason };
    },
  };
}
