/**
 * Tests by betting: sequences that may be looked at after every observation (Waudby-Smith and Ramdas, "Estimating means
 * of bounded random variables by betting", JRSS B 86, 2024; Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics
 * and safe anytime-valid inference", Statistical Science 38, 2023).
 *
 * A gambler starts with 1 and stakes a share of its wealth on each payoff before it is seen. If the mean payoff is at most
 * 0, whatever the past, the wealth is a supermartingale: it reaches 1 / alpha ever with chance alpha at most (Ville). How
 * the stakes are chosen changes the power, never that bound.
 */
import { normalDensity, normalQuantile } from "./distributions.ts";

/** The state of a bet. */
export interface Wealth {
  readonly observations: number;
  /** The evidence against "the mean is at most 0": an e-value. */
  readonly wealth: number;
  /** The largest wealth so far. */
  readonly peak: number;
}

export interface DeadlineBets {
  /** Chance that the wealth ever reaches 1 / alpha without reason. */
  readonly alpha: number;
  /** Observations that there will be at most. More may come: they cost power, not validity. */
  readonly deadline: number;
}

/** Stakes stay below this share: a loss leaves something. */
const LARGEST_STAKE = 0.95;
/** What the mean and the mean square of payoffs are believed to be before the first, in observations. */
const PRIOR_OBSERVATIONS = { mean: 4, square: 2 };
const PRIOR_SQUARE = 0.8;
/** Share of Kelly's stake, which is the best in the long run and too bold while the mean is a guess. */
const KELLY_SHARE = 0.5;

/**
 * Bets that try to reach 1 / alpha by a deadline. Each stake is recomputed from what is still to be won and how many
 * observations are left ("STaR-Bets", Voráček and Orabona, 2025): the stake that the z-test of that size on the rest would
 * make, or half of Kelly's where that is larger. Power then equals that of one exact test at the deadline
 * (docs/adr/0022), and clear effects end early.
 *
 * Stops betting once 1 / alpha is reached.
 *
 * @param payoffs each in [-1, 1], in the order in which they were observed
 */
export function betByDeadline(payoffs: Iterable<number>, { alpha, deadline }: DeadlineBets): Wealth {
  const target = 1 / alpha;
  let wealth = 1;
  let peak = 1;
  let observations = 0;
  let sum = 0;
  let squares = 0;
  for (const payoff of payoffs) {
    if (peak < target) {
      const square = (squares + PRIOR_OBSERVATIONS.square * PRIOR_SQUARE) / (observations + PRIOR_OBSERVATIONS.square);
      const kelly = sum / (observations + PRIOR_OBSERVATIONS.mean) / square;
      const left = Math.max(1, deadline - observations) * square;
      const size = wealth / target;
      const planned = normalDensity(normalQuantile(size)) / (size * Math.sqrt(left));
      const enough = (target - wealth) / wealth; // to be there with one win
      wealth *= 1 + Math.min(Math.max(planned, KELLY_SHARE * kelly), LARGEST_STAKE, enough) * payoff;
      // The last stake reaches the target up to rounding.
      if (wealth >= target * (1 - 1e-12)) wealth = target;
      peak = Math.max(peak, wealth);
    }
    observations += 1;
    sum += payoff;
    squares += payoff * payoff;
  }
  return { observations, wealth, peak };
}

/** Stakes of the mixture: equal parts of the wealth are bet with each. */
const STAKES = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.95];

/** Payoffs that came together. */
export interface PayoffCount {
  readonly payoff: number;
  readonly count: number;
}

/**
 * Bets without a deadline: the wealth is divided among constant stakes (Robbins' method of mixtures). The order of the
 * observations of one look does not matter.
 *
 * @param looks payoffs of each look, each at least -1
 */
export function betByMixture(looks: Iterable<readonly PayoffCount[]>): Wealth {
  const logs = STAKES.map(() => 0);
  let wealth = 1;
  let peak = 1;
  let observations = 0;
  for (const look of looks) {
    for (const { payoff, count } of look) {
      STAKES.forEach((stake, s) => {
        logs[s] = (logs[s] ?? 0) + count * Math.log1p(stake * payoff);
      });
      observations += count;
    }
    wealth = logs.reduce((total, log) => total + Math.exp(log), 0) / STAKES.length;
    peak = Math.max(peak, wealth);
  }
  return { observations, wealth, peak };
}
