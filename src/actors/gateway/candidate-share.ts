/** Which of consecutive requests or batches a candidate gets: its share of them, evenly, without chance. */
export interface CandidateShare {
  /** @param percent its share, 0 to 100. @returns true when it gets this one */
  isNext(percent: number): boolean;
}

export function createCandidateShare(): CandidateShare {
  let sum = 0;
  return {
    isNext(percent) {
      sum += percent;
      if (sum < 100) return false;
      sum -= 100;
      return true;
    },
  };
}
