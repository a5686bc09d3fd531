/**
 * Watches a release after its promotion: whether live figures have fallen. Always valid: it may be asked after every
 * window for as long as the release is live, and rolls back without reason with chance `alpha` at most over all of
 * them.
 *
 * Two questions, each with half of alpha:
 * - is the live release worse than the previous one on the same inputs (labels at their disagreements, where the previous
 *   release still computes beside it)? Drift does not disturb this one: it moves both.
 * - is its agreement with the oracle, on the uniform stratum, below what the previous release had before? Drift lowers it
 *   too, so a comparison that favours the live release overrules it.
 */
import { betByMixture, type PayoffCount, shareInterval } from "../statistics/index.ts";

/** Labels of one look. */
export interface Agreements {
  readonly labels: number;
  /** Of them, those where the release agrees with the oracle. */
  readonly right: number;
}

/** One window after the promotion. */
export interface WatchedWindow {
  readonly window: number;
  /** Of the uniform stratum. */
  readonly uniform: Agreements;
  /** Labels at disagreements of live and previous release, drawn with equal chance: who alone is right. */
  readonly paired?: { readonly live: number; readonly previous: number };
}

export interface LiveFigures {
  /** The previous release on the uniform stratum, in the windows before the promotion. */
  readonly before: Agreements;
  /** In their order. */
  readonly windows: readonly WatchedWindow[];
}

export interface WatchRules {
  /** Chance of a rollback without reason, for as long as the release is live. @default 0.01 */
  readonly alpha: number;
}

export const WATCH_RULES: WatchRules = { alpha: 0.01 };

export interface Watch {
  readonly verdict: "keep" | "rollback";
  /** Absent before there are labels. */
  readonly agreement?: {
    readonly before: number;
    readonly after: number;
    /** The lower end of `before`, which `after` is tested against. */
    readonly floor: number;
    /** E-value against "agreement is at least the floor". */
    readonly wealth: number;
    readonly limit: number;
  };
  /** Absent where the previous release does not compute. */
  readonly paired?: {
    readonly live: number;
    readonly previous: number;
    /** E-value against "the live release is not worse than the previous one". */
    readonly wealth: number;
    readonly limit: number;
  };
}

export function watchRollback({ before, windows }: LiveFigures, { alpha }: WatchRules = WATCH_RULES): Watch {
  const agreement = watchAgreement(before, windows, alpha / 2);
  const paired = watchPaired(windows, alpha / 2);
  const isWorse = paired !== undefined && paired.wealth >= paired.limit;
  const isBetter = paired !== undefined && paired.live > paired.previous;
  const hasFallen = agreement !== undefined && agreement.wealth >= agreement.limit;
  return {
    verdict: isWorse || (hasFallen && !isBetter) ? "rollback" : "keep",
    ...(agreement === undefined ? {} : { agreement }),
    ...(paired === undefined ? {} : { paired }),
  };
}

/** Half of alpha for an unlucky `before`, half for the windows after. */
function watchAgreement(before: Agreements, windows: readonly WatchedWindow[], alpha: number): Watch["agreement"] {
  const labels = windows.reduce((sum, { uniform }) => sum + uniform.labels, 0);
  if (before.labels === 0 || labels === 0) return undefined;
  const floor = shareInterval(before.right, before.labels, 1 - alpha).low; // alpha / 2 lie below
  const right = windows.reduce((sum, { uniform }) => sum + uniform.right, 0);
  // At an agreement of the floor the mean payoff is 0; a right answer costs the whole stake.
  const looks = windows.map(({ uniform }): PayoffCount[] => [
    { payoff: -1, count: uniform.right },
    { payoff: floor / (1 - floor), count: uniform.labels - uniform.right },
  ]);
  return {
    before: before.right / before.labels,
    after: right / labels,
    floor,
    wealth: floor === 1 ? 1 : betByMixture(looks).peak,
    limit: 2 / alpha,
  };
}

function watchPaired(windows: readonly WatchedWindow[], alpha: number): Watch["paired"] {
  const looks = windows.flatMap(({ paired }) => (paired === undefined ? [] : [paired]));
  if (looks.length === 0) return undefined;
  const { peak } = betByMixture(
    looks.map(({ live, previous }): PayoffCount[] => [
      { payoff: -1, count: live },
      { payoff: 1, count: previous },
    ]),
  );
  return {
    live: looks.reduce((sum, { live }) => sum + live, 0),
    previous: looks.reduce((sum, { previous }) => sum + previous, 0),
    wealth: peak,
    limit: 1 / alpha,
  };
}
