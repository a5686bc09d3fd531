/** Recall of each class, so that a candidate does not pay for the others with one class. */
import { binomialTail, shareInterval } from "../statistics/index.ts";
import type { LabelledSet, WindowEvidence } from "./evidence.ts";
import type { GateRules } from "./gate-rules.ts";
import { difference, labelledDisagreements } from "./paired-effect.ts";

/** A class that a candidate has lost. */
export interface LostClass {
  /** Name of the set, or `stream`. */
  readonly where: string;
  readonly class: number;
  readonly rule: "floor" | "drop";
  /** Recall of the candidate for `floor`, its change against the live release for `drop`; shares. */
  readonly found: number;
}

type RecallRules = Pick<GateRules, "recallFloor" | "recallDrop" | "recallAlpha" | "windowBudget">;

/**
 * Classes whose recall on a labelled set is below the floor, or has dropped, beyond chance: the upper end of the exact
 * interval of the candidate's recall counts, with `recallAlpha` divided among the set's classes.
 */
export function lostInSet({ name, classes }: LabelledSet, rules: RecallRules): readonly LostClass[] {
  const confidence = 1 - (2 * rules.recallAlpha) / classes.length;
  return classes.flatMap(({ inputs, live, candidate }, index): LostClass[] => {
    if (inputs === 0 || candidate >= live) return [];
    const { high } = shareInterval(candidate, inputs, confidence);
    const lost = { where: name, class: index };
    if (high < rules.recallFloor) return [{ ...lost, rule: "floor", found: candidate / inputs }];
    if (high < live / inputs - rules.recallDrop) return [{ ...lost, rule: "drop", found: (candidate - live) / inputs }];
    return [];
  });
}

/**
 * Classes whose estimated recall on the stream has dropped, with losses that are no chance (exact, one-sided,
 * `recallAlpha` divided among classes and windows of the decision). How many inputs a class has is estimated by the
 * common answer where both models agree and by the labels where they do not.
 */
export function lostOnStream(windows: readonly WindowEvidence[], rules: RecallRules): readonly LostClass[] {
  const counts = new Map<number, { inputs: number; change: number; gains: number; losses: number }>();
  const of = (index: number): { inputs: number; change: number; gains: number; losses: number } => {
    const found = counts.get(index) ?? { inputs: 0, change: 0, gains: 0, losses: 0 };
    counts.set(index, found);
    return found;
  };
  for (const window of windows) {
    if (window.agreed === undefined) continue;
    window.agreed.forEach((inputs, index) => {
      of(index).inputs += inputs;
    });
    const pairs = labelledDisagreements(window);
    const total = pairs.reduce((sum, { weight = 1 }) => sum + weight, 0);
    for (const pair of pairs) {
      const stands = ((pair.weight ?? 1) * window.disagreements) / total; // for so many inputs
      const change = difference(pair);
      const count = of(pair.label);
      count.inputs += stands;
      count.change += stands * change;
      count.gains += Number(change > 0);
      count.losses += Number(change < 0);
    }
  }
  const alpha = rules.recallAlpha / Math.max(1, counts.size) / rules.windowBudget;
  return [...counts].flatMap(([index, { inputs, change, gains, losses }]): LostClass[] => {
    if (inputs === 0 || change / inputs >= -rules.recallDrop) return [];
    if (binomialTail(losses, losses + gains, 0.5) > alpha) return [];
    return [{ where: "stream", class: index, rule: "drop", found: change / inputs }];
  });
}
