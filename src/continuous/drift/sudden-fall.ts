/**
 * Whether the world has changed at once: the newest rounds have many more wrong answers than the ones before. For rounds whose
 * inputs were not drawn by chance too, as long as they are drawn alike: it compares a stream with itself, and estimates
 * nothing. Slow drift is the other detectors' matter.
 */
import { binomialTail, shareInterval } from "../statistics/index.ts";

/** One round. */
export interface RoundAnswers {
  readonly answers: number;
  readonly wrong: number;
}

/** Rounds before the newest ones: fewer say too little of what is usual. */
const LEAST_BEFORE = 3;
/** Newest rounds that are looked at together, at most. */
const MOST_NEWEST = 3;
/** Chance that the usual share of wrong answers is above what is taken for it. */
const USUAL_ALPHA = 0.05;

/**
 * Binomial, one-sided: the newest rounds against an upper limit (Clopper-Pearson) of the share before.
 * @param rounds in their order
 * @param alpha chance of one look at rounds of one world to say otherwise, roughly
 * @returns how many of the newest rounds are of another world; 0: none
 */
export function suddenFall(rounds: readonly RoundAnswers[], alpha = 0.001): number {
  for (let newest = 1; newest <= Math.min(MOST_NEWEST, rounds.length - LEAST_BEFORE); newest += 1) {
    const before = sumOf(rounds.slice(0, -newest));
    const after = sumOf(rounds.slice(-newest));
    const usual = shareInterval(before.wrong, before.answers, 1 - 2 * USUAL_ALPHA).high;
    if (binomialTail(after.wrong, after.answers, usual) <= alpha) return newest;
  }
  return 0;
}

function sumOf(rounds: readonly RoundAnswers[]): RoundAnswers {
  return rounds.reduce((sum, { answers, wrong }) => ({ answers: sum.answers + answers, wrong: sum.wrong + wrong }), {
    answers: 0,
    wrong: 0,
  });
}
