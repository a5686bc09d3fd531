/**
 * What the gate judges: plain data, as it is stored in the history, so that a decision can be replayed.
 *
 * The population is the inputs of the stream that both models computed. Where both give one answer, their difference is
 * 0 whatever is right, so the oracle is asked about disagreements only, drawn from all of the window's, and about a few
 * inputs drawn from all (the uniform stratum). "Right" is what the oracle answers.
 */
import { KnowledgeNetError } from "../../errors/index.ts";

/** An input that the oracle labelled. Classes are numbers from 0. */
export interface LabelledPair {
  /** What it was drawn from: the inputs where both models differ, or all. */
  readonly stratum: "disagreement" | "uniform";
  readonly label: number;
  readonly live: number;
  readonly candidate: number;
  /**
   * Inverse of the chance that this input was drawn, among the window's of its stratum, up to a factor that the whole
   * decision has in common; at most `maxWeight`. @default 1: each had the same chance
   */
  readonly weight?: number;
}

/** One window of the stream. */
export interface WindowEvidence {
  readonly window: number;
  /** Inputs that both models computed. */
  readonly inputs: number;
  /** Of them, those with two different answers. */
  readonly disagreements: number;
  /** In the order in which they were asked, append-only: the sequential test depends on the order. */
  readonly labels: readonly LabelledPair[];
  /** Inputs of each class by the common answer of both models, where they agree. Needed for recall on the stream. */
  readonly agreed?: readonly number[];
  /** More labels of this window may come. @default false */
  readonly isOpen?: boolean;
}

/** One class of a labelled set. */
export interface ClassCounts {
  readonly inputs: number;
  /** Of them, those that each model has right. */
  readonly live: number;
  readonly candidate: number;
}

/** Inputs with known labels, tested before anything was trained on them. Costs no labels of the decision. */
export interface LabelledSet {
  readonly name: string;
  /** By class. */
  readonly classes: readonly ClassCounts[];
  /** Share that the model of window 0 has right: present for the set that must not be forgotten, in [0, 1]. */
  readonly startShare?: number;
}

export interface Evidence {
  /** The candidate as the edge reconstructs it, not as the learner has it. */
  readonly windows: readonly WindowEvidence[];
  /** Largest weight that the sampler may give. @default 1 */
  readonly maxWeight?: number;
  readonly sets: readonly LabelledSet[];
  /** Outputs of the candidate that are not finite. */
  readonly nonFiniteOutputs: number;
  /** Time of a batch, the same percentile of both, measured alternately on one machine, in milliseconds. */
  readonly latencyMs?: { readonly live: number; readonly candidate: number };
}

/** @throws KnowledgeNetError KN_INVARIANT when the numbers contradict each other or the budget */
export function checkEvidence({ windows, maxWeight = 1, sets, latencyMs }: Evidence, labelBudget: number): void {
  const total = windows.reduce((sum, { labels }) => sum + labels.length, 0);
  demand(total <= labelBudget, "all windows", `at most ${labelBudget} labels`, [total]);
  for (const { window, inputs, disagreements, labels, agreed } of windows) {
    const where = `window ${window}`;
    const isPart = isCount(inputs) && isCount(disagreements) && disagreements <= inputs;
    demand(isPart, where, "0 <= disagreements <= inputs", [disagreements, inputs]);
    const common = agreed?.reduce((sum, each) => sum + each, 0) ?? inputs - disagreements;
    demand(common === inputs - disagreements, where, "agreed = inputs - disagreements", [
      common,
      inputs - disagreements,
    ]);
    const differing = labels.filter(({ live, candidate }) => live !== candidate).length;
    demand(differing <= disagreements, where, "labels of disagreements <= disagreements", [differing, disagreements]);
    demand(labels.length <= inputs, where, "labels <= inputs", [labels.length, inputs]);
    for (const { stratum, label, live, candidate, weight = 1 } of labels) {
      demand([label, live, candidate].every(isCount), where, "classes are numbers from 0", [label, live, candidate]);
      demand(stratum === "uniform" || live !== candidate, where, "a disagreement has two answers", [live, candidate]);
      demand(weight > 0 && weight <= maxWeight, where, `weights in (0, ${maxWeight}]`, [weight]);
    }
  }
  for (const { name, classes } of sets) {
    for (const { inputs, live, candidate } of classes) {
      const isPart = [inputs, live, candidate].every(isCount) && live <= inputs && candidate <= inputs;
      demand(isPart, `set ${name}`, "right answers <= inputs", [live, candidate, inputs]);
    }
  }
  if (latencyMs !== undefined) {
    const both = [latencyMs.live, latencyMs.candidate];
    demand(
      both.every((each) => each > 0 && Number.isFinite(each)),
      "latency",
      "positive times",
      both,
    );
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function demand(isTrue: boolean, where: string, rule: string, values: readonly number[]): void {
  if (isTrue) return;
  throw new KnowledgeNetError("KN_INVARIANT", {
    attempt: "judge a candidate",
    rule: `the evidence must be consistent (${where}: ${rule})`,
    value: values.join(", "),
    remedy: "report it: the observer or the learner counted wrong",
  });
}
