/**
 * The gate of continuous training: evidence in, verdict out.
 *
 * @example
 * const { verdict, reasons } = judge(evidence); // ask labelsLeft(evidence) more while the verdict is "continue"
 * const { verdict } = watchRollback({ before, windows }); // after every window while the release is live
 */
export {
  type ClassCounts,
  type Evidence,
  type LabelledPair,
  type LabelledSet,
  type WindowEvidence,
} from "./evidence.ts";
export { GATE_RULES, type GateRules } from "./gate-rules.ts";
export { type Agreement, type Finding, judge, type Judgement, labelsLeft, type RuleName } from "./judge.ts";
export { type PairedEffect, pairedEffect } from "./paired-effect.ts";
export type { LostClass } from "./recall.ts";
export {
  type Agreements,
  type LiveFigures,
  type Watch,
  watchRollback,
  type WatchedWindow,
  type WatchRules,
} from "./watch-rollback.ts";
