/** Counts how often candidates disagree with the live release, of one epoch, by candidate. Plain state. */
import type { ObservationComparison } from "../../messages/index.ts";

export interface ComparisonCounts {
  /**
   * Counts an input.
   * @param candidate number of the update that it is made of, from 1
   * @returns of this input, with the counts so far
   */
  count(candidate: number, disagrees: boolean): ObservationComparison;
}

/** Candidates come one after another: one that returns after so many others begins at 0 again. */
const KEPT_CANDIDATES = 64;

export function createComparisonCounts(): ComparisonCounts {
  const counts = new Map<number, Pick<ObservationComparison, "compared" | "disagreements">>();
  return {
    count(candidate, disagrees) {
      const before = counts.get(candidate) ?? { compared: 0, disagreements: 0 };
      const now = {
        compared: before.compared + 1,
        disagreements: before.disagreements + (disagrees ? 1 : 0),
      };
      counts.delete(candidate); // the newest is the last one
      counts.set(candidate, now);
      for (const oldest of counts.keys()) {
        if (counts.size <= KEPT_CANDIDATES) break;
        counts.delete(oldest);
      }
      return { candidate, disagrees, ...now };
    },
  };
}
