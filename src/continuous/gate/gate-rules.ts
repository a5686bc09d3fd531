/** What a candidate must fulfil. */
export interface GateRules {
  /** Chance that a candidate that is not better is promoted, over all looks of its decision. @default 0.01 */
  readonly alpha: number;
  /** Chance that a candidate that is not worse is refused as worse, over all looks. @default 0.05 */
  readonly harmAlpha: number;
  /** Least estimated effect on the stream, as a share. @default 0.005 */
  readonly minimumEffect: number;
  /** Oracle labels of a decision, the uniform stratum's included. @default 100 */
  readonly labelBudget: number;
  /** Of them, those for the uniform stratum. @default 10: they estimate, the others decide */
  readonly uniformLabels: number;
  /** Most windows of a decision: later ones are about a world that the candidate was not trained for. @default 3 */
  readonly windowBudget: number;
  /** Largest share of the window-0 set that may be lost since window 0. @default 0.02 */
  readonly forgetting: number;
  /** A class must not fall below this recall by the candidate. @default 0.5 */
  readonly recallFloor: number;
  /** Largest drop of a class's recall against the live release, above the floor. @default 0.1 */
  readonly recallDrop: number;
  /** Chance that one decision calls a class dropped that is not, over all classes. @default 0.01 */
  readonly recallAlpha: number;
  /** Largest ratio of the candidate's latency to the live release's. @default 1.2 */
  readonly latencyRatio: number;
}

export const GATE_RULES: GateRules = {
  alpha: 0.01,
  harmAlpha: 0.05,
  minimumEffect: 0.005,
  labelBudget: 100,
  uniformLabels: 10,
  windowBudget: 3,
  forgetting: 0.02,
  recallFloor: 0.5,
  recallDrop: 0.1,
  recallAlpha: 0.01,
  latencyRatio: 1.2,
};
