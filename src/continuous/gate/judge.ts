/**
 * The gate: whether a candidate becomes the live release. A pure function of stored evidence, so that a decision can be
 * replayed; called again with more evidence until it is no longer `continue`. Why these tests: docs/adr/0022.
 *
 * `promote` needs all rules. `refuse` needs one that is broken, or a budget that is spent. A rule without evidence
 * (latency that nobody measured) refuses nothing and lets nothing pass.
 */
import {
  betByDeadline,
  betByMixture,
  type Interval,
  type McNemarTest,
  mcNemarTest,
  shareInterval,
} from "../statistics/index.ts";
import { checkEvidence, type Evidence, type LabelledPair } from "./evidence.ts";
import { GATE_RULES, type GateRules } from "./gate-rules.ts";
import { difference, labelledDisagreements, type PairedEffect, pairedEffect } from "./paired-effect.ts";
import { type LostClass, lostInSet, lostOnStream } from "./recall.ts";

export const RULES = [
  "finite outputs",
  "latency",
  "forgetting",
  "recall",
  "disagreement",
  "not worse",
  "better",
  "minimum effect",
  "label budget",
  "window budget",
] as const;
export type RuleName = (typeof RULES)[number];

/** What a rule found. */
export interface Finding {
  readonly rule: RuleName;
  /** `broken` refuses; `open` needs more evidence. */
  readonly state: "fulfilled" | "open" | "broken";
  /** Absent without evidence. Shares, ratios, counts or wealth, as `limit`. */
  readonly found?: number;
  readonly limit: number;
  readonly text: string;
}

/** Share that agrees with the oracle, with its exact 95 % interval. */
export interface Agreement extends Interval {
  readonly right: number;
  readonly labels: number;
}

export interface Judgement {
  readonly verdict: "promote" | "refuse" | "continue";
  /** One per rule, in the order of `RULES`. */
  readonly reasons: readonly Finding[];
  /** Absent before the first label. */
  readonly effect?: PairedEffect;
  /** Of the labelled disagreements, unweighted; it describes and does not decide, as it allows one look only. */
  readonly mcNemar: McNemarTest;
  /** On the uniform stratum. */
  readonly agreement: { readonly live: Agreement; readonly candidate: Agreement };
  readonly lostClasses: readonly LostClass[];
  /** Labels asked. */
  readonly labels: number;
}

/** @throws KnowledgeNetError KN_INVARIANT when the evidence contradicts itself or has more labels than the budget */
export function judge(evidence: Evidence, rules: GateRules = GATE_RULES): Judgement {
  checkEvidence(evidence, rules.labelBudget);
  const { windows } = evidence;
  const pairs = windows.flatMap(labelledDisagreements);
  const asked = windows.flatMap((window) => window.labels);
  const labels = asked.length;
  const uniform = asked.filter(({ stratum }) => stratum === "uniform");
  const differences = pairs.map(difference);
  const gains = differences.filter((each) => each > 0).length;
  const losses = differences.filter((each) => each < 0).length;
  const effect = pairedEffect(windows);
  const lostClasses = [...evidence.sets.flatMap((set) => lostInSet(set, rules)), ...lostOnStream(windows, rules)];
  const maxWeight = evidence.maxWeight ?? 1;
  const payoffs = pairs.map((pair) => (difference(pair) * (pair.weight ?? 1)) / maxWeight);

  const guards = [
    finite(evidence),
    latency(evidence, rules),
    forgetting(evidence, rules),
    recall(evidence, lostClasses, rules),
    alike(evidence, rules),
    notWorse(payoffs, rules),
  ];
  const gain = [better(payoffs, rules), atLeast(effect, rules)];
  const isEarned = [...guards, ...gain].every(({ state }) => state === "fulfilled");
  const budgets = isEarned ? [] : [labelBudget(payoffs, labels, gain, rules), windowBudget(evidence, rules)];
  const reasons = [...guards, ...gain, ...budgets];
  return {
    verdict: isEarned ? "promote" : reasons.some(({ state }) => state === "broken") ? "refuse" : "continue",
    reasons,
    ...(pairs.length === 0 ? {} : { effect }),
    mcNemar: mcNemarTest(gains, losses),
    agreement: { live: agreementOf(uniform, "live"), candidate: agreementOf(uniform, "candidate") },
    lostClasses,
    labels,
  };
}

/** Labels that may still be asked for this decision. */
export function labelsLeft(
  { windows }: Pick<Evidence, "windows">,
  { labelBudget, uniformLabels }: Pick<GateRules, "labelBudget" | "uniformLabels"> = GATE_RULES,
): { readonly disagreements: number; readonly uniform: number } {
  const labels = windows.flatMap((window) => window.labels);
  const uniform = labels.filter(({ stratum }) => stratum === "uniform").length;
  const left = Math.max(0, labelBudget - labels.length);
  const uniformLeft = Math.min(left, Math.max(0, uniformLabels - uniform));
  return { disagreements: left - uniformLeft, uniform: uniformLeft };
}

function agreementOf(pairs: readonly LabelledPair[], model: "live" | "candidate"): Agreement {
  const right = pairs.filter((pair) => pair[model] === pair.label).length;
  return { right, labels: pairs.length, ...shareInterval(right, pairs.length) };
}

function finite({ nonFiniteOutputs }: Evidence): Finding {
  return {
    rule: "finite outputs",
    state: nonFiniteOutputs === 0 ? "fulfilled" : "broken",
    found: nonFiniteOutputs,
    limit: 0,
    text: `${nonFiniteOutputs} outputs are not finite`,
  };
}

function latency({ latencyMs }: Evidence, { latencyRatio }: GateRules): Finding {
  const common = { rule: "latency", limit: latencyRatio } as const;
  if (latencyMs === undefined) return { ...common, state: "open", text: "latency is not measured" };
  const found = latencyMs.candidate / latencyMs.live;
  const text = `${number(latencyMs.candidate)} ms against ${number(latencyMs.live)} ms: a ratio of ${number(found)}`;
  return { ...common, state: found <= latencyRatio ? "fulfilled" : "broken", found, text };
}

function forgetting({ sets }: Evidence, { forgetting: limit }: GateRules): Finding {
  const losses = sets.flatMap(({ name, classes, startShare }) => {
    if (startShare === undefined) return [];
    const inputs = classes.reduce((sum, each) => sum + each.inputs, 0);
    const right = classes.reduce((sum, each) => sum + each.candidate, 0);
    return inputs === 0 ? [] : [{ name, startShare, share: right / inputs, loss: startShare - right / inputs }];
  });
  const common = { rule: "forgetting", limit } as const;
  const [worst] = losses.sort((a, b) => b.loss - a.loss);
  if (worst === undefined) return { ...common, state: "open", text: "no set of window 0" };
  const text = `${worst.name}: ${percent(worst.share)} right, ${percent(worst.startShare)} at the start`;
  // Counts of a set are shares with rounding: a loss of exactly the limit is allowed.
  return { ...common, state: worst.loss <= limit + 1e-12 ? "fulfilled" : "broken", found: worst.loss, text };
}

function recall({ sets, windows }: Evidence, lost: readonly LostClass[], rules: GateRules): Finding {
  const common = { rule: "recall", limit: 0, found: lost.length } as const;
  if (lost.length > 0) {
    const each = lost.map(
      ({ where, class: index, rule, found }) => `class ${index} (${where}): ${rule} ${percent(found)}`,
    );
    return { ...common, state: "broken", text: each.join("; ") };
  }
  const isSeen = sets.length > 0 || windows.some(({ agreed }) => agreed !== undefined);
  if (!isSeen) return { rule: "recall", limit: 0, state: "open", text: "no set and no stream by class" };
  const text = `no class below ${percent(rules.recallFloor)} or ${percent(rules.recallDrop)} below the live release`;
  return { ...common, state: "fulfilled", text };
}

/** Two models that always agree have no effect: no label is spent to learn it. */
function alike({ windows }: Evidence, { minimumEffect, alpha }: GateRules): Finding {
  const inputs = windows.reduce((sum, window) => sum + window.inputs, 0);
  const disagreements = windows.reduce((sum, window) => sum + window.disagreements, 0);
  const common = { rule: "disagreement", limit: minimumEffect } as const;
  if (inputs === 0) return { ...common, state: "open", text: "no inputs yet" };
  const { high } = shareInterval(disagreements, inputs, 1 - 2 * alpha);
  const found = disagreements / inputs;
  const text = `the models differ on ${percent(found)} of ${inputs} inputs, ${percent(high)} at most`;
  return { ...common, state: high >= minimumEffect ? "fulfilled" : "broken", found, text };
}

function notWorse(payoffs: readonly number[], { harmAlpha }: GateRules): Finding {
  const { peak } = betByMixture(payoffs.map((payoff) => [{ payoff: -payoff, count: 1 }]));
  const limit = 1 / harmAlpha;
  const text = `wealth ${number(peak)} against "the candidate is not worse", ${number(limit)} refuses`;
  return { rule: "not worse", state: peak < limit ? "fulfilled" : "broken", found: peak, limit, text };
}

const deadlineOf = ({ labelBudget, uniformLabels }: GateRules): number => Math.max(1, labelBudget - uniformLabels);

function better(payoffs: readonly number[], rules: GateRules): Finding {
  const { wealth, peak } = betByDeadline(payoffs, { alpha: rules.alpha, deadline: deadlineOf(rules) });
  const limit = 1 / rules.alpha;
  const text = `wealth ${number(wealth)} against "the candidate is not better", ${number(limit)} promotes`;
  return { rule: "better", state: peak >= limit ? "fulfilled" : "open", found: wealth, limit, text };
}

function atLeast({ effect, low, high }: PairedEffect, { minimumEffect }: GateRules): Finding {
  const common = { rule: "minimum effect", limit: minimumEffect } as const;
  if (Number.isNaN(effect)) return { ...common, state: "open", text: "no labels yet" };
  const text = `${percent(effect)} more right, 95 % interval ${percent(low)} to ${percent(high)}`;
  return { ...common, state: effect >= minimumEffect ? "fulfilled" : "open", found: effect, text };
}

/** Spent, or too little left to reach the target even if every label spoke for the candidate. */
function labelBudget(payoffs: readonly number[], labels: number, gain: readonly Finding[], rules: GateRules): Finding {
  const left = rules.labelBudget - labels;
  const common = { rule: "label budget", found: labels, limit: rules.labelBudget } as const;
  if (gain.every(({ state }) => state === "fulfilled")) {
    return { ...common, state: "fulfilled", text: `${labels} labels were enough` };
  }
  if (left <= 0) return { ...common, state: "broken", text: `all ${labels} labels are spent` };
  const best = [...payoffs, ...Array.from({ length: left }, () => 1)];
  const { peak } = betByDeadline(best, { alpha: rules.alpha, deadline: deadlineOf(rules) });
  if (peak < 1 / rules.alpha) {
    return { ...common, state: "broken", text: `${left} more labels cannot show an improvement` };
  }
  return { ...common, state: "open", text: `${left} labels left` };
}

function windowBudget({ windows }: Evidence, { windowBudget: limit }: GateRules): Finding {
  const isOver = windows.length >= limit && windows.at(-1)?.isOpen !== true;
  const text = `${windows.length} of ${limit} windows`;
  return { rule: "window budget", state: isOver ? "broken" : "open", found: windows.length, limit, text };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const number = (value: number): string => value.toPrecision(4);
