/** Log of a run's evaluations, source switches and teacher changes. */
export function historyOf(run: string): string {
  return `${HISTORY_PREFIX}${run}`;
}

export const HISTORY_PREFIX = "history-";
