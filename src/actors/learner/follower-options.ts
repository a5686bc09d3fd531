/** What a follower works with. */
import type { GateRules, judge, WatchRules } from "../../continuous/index.ts";
import type { TensorView, ValueCoding } from "../../messages/index.ts";
import type { NamedTensors, Signer } from "../../models/index.ts";
import type { Lesson, StudentLab } from "./student-lab.ts";

export interface FollowerOptions {
  /** Of the student, as devices know it. */
  readonly model: string;
  readonly seed: number;
  readonly classes: number;
  /** Of one input. */
  readonly sampleShape: readonly number[];
  readonly dtype: "u8" | "f32";
  readonly window: {
    /** Observations of one window. */
    readonly observations: number;
    /** Judged together: a candidate is promoted or refused after each so many. Divides a window. */
    readonly roundObservations: number;
  };
  readonly training: {
    readonly steps: number;
    readonly batchSize: number;
    /** Share of a batch that is rehearsed: samples of the time before the stream. */
    readonly rehearsalShare: number;
    /** Samples in the replay memory. */
    readonly replay: number;
    /** The samples of so many windows are one half of it. */
    readonly recentWindows: number;
    /** Steps without a mask, by whose movements it is chosen; a share of `steps`. */
    readonly probeShare: number;
    /** Trains when the live release agrees with the oracle on less than this share of the window's observations. */
    readonly below: number;
    /** New statistics of batch norm are a candidate by themselves when with them it agrees on this share of a window. */
    readonly enough: number;
    /** Of the student's sections, by the oracle's, before it trains as a whole; 0: it trains as a whole only. */
    readonly sectionSteps: number;
  };
  readonly update: {
    /** Share of the weights that an update sets; 1: all of them, as a full update. */
    readonly fraction: number;
    readonly coding: ValueCoding;
    /** Updates between two full ones. */
    readonly anchorEvery: number;
    /** Larger updates are not made: a smaller share is. */
    readonly maxBytes: number;
  };
  readonly gate: GateRules;
  readonly watch: WatchRules;
  /**
   * What a candidate is judged on.
   * - `edge`: it computes beside the live release on the edge, and all of their disagreements there are a chance to be
   *   observed: the labels of a decision go where they tell most
   * - `uniform`: the uniform observations, computed here; for devices without room for two releases
   */
  readonly evidence: "edge" | "uniform";
}

/** One observation, decoded and checked. */
export interface FollowedInput {
  /** Of its record in the log, ascending. */
  readonly position: number;
  /** Elements of the sample shape. */
  readonly values: Uint8Array | Float32Array;
  /** Uniform ones estimate; which ones decide, `FollowerOptions.evidence` says. The others train. */
  readonly stratum: "uniform" | "interesting";
  /** Of the live release with a candidate, on the edge; absent: none was compared. */
  readonly comparison?: Comparison;
}

/** What an edge found out about a candidate that computes beside the live release. */
export interface Comparison {
  /** Start of the observer: its counts begin at 0. */
  readonly epoch: string;
  /** Number of the candidate's update. */
  readonly candidate: number;
  /** The classes of both differ on this input. */
  readonly disagrees: boolean;
  /** Inputs that were compared so far, this one included, and those of them whose classes differ. */
  readonly compared: number;
  readonly disagreements: number;
}

/** The teacher of the student. Equal inputs are computed once for each version. */
export interface Oracle {
  /** @returns logits [n, classes], and the version that they are all of. Rejects with KN_UNAVAILABLE while it is away. */
  label(
    inputs: readonly (Uint8Array | Float32Array)[],
  ): Promise<{ readonly version: string; readonly logits: Float32Array }>;
  /**
   * Computes views of inputs, which nobody else asks for: nothing is kept. Needed for the training of sections.
   * @param inputs [n, ...sample]
   * @returns undefined when `version` does not compute any more. Rejects as `label`
   */
  readonly teach?: (inputs: TensorView, version: string) => Promise<Lesson | undefined>;
}

/** Inputs of the time before the stream, for which the student was trained. */
export interface Anchor {
  /** Must not be forgotten; never trained on. [n, ...sample], and their classes. */
  readonly test: { readonly inputs: TensorView; readonly labels: Int32Array };
  /** Rehearsed, with the answers of the beginning; [n, ...sample], none of them in `test`. */
  readonly rehearsal: TensorView;
}

export interface FollowerDeps {
  readonly lab: StudentLab;
  readonly oracle: Oracle;
  /** @default what window 0 shows, and no rehearsal */
  readonly anchor?: Anchor;
  /** @default nobody */
  readonly signer?: Signer;
  /** @default the gate's */
  readonly judge?: typeof judge;
}

/** Where a follower without a saved state begins. */
export interface FollowerStart {
  /** Weights that are live. */
  readonly weights: NamedTensors;
  /** Number of the first update, which is a full one of them. @default 1 */
  readonly number?: number;
}
