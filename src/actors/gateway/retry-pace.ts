import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

/** Work that is asked for again and again until it is done. */
export interface RetryPace {
  /** Begins `work`, unless it is under way or has just failed. A failure is logged. */
  attempt(work: () => Promise<void>, onFailure: string): void;
  /** Something else is to be done now: no pause. */
  reset(): void;
}

/** Pause after a failure, ms; twice as long after each further one. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 16_000;

export function createRetryPace({ clock, log }: { readonly clock: Clock; readonly log: Logger }): RetryPace {
  let isBusy = false;
  let failures = 0;
  let notBeforeMs = 0;
  return {
    attempt(work, onFailure) {
      if (isBusy || clock.now() < notBeforeMs) return;
      isBusy = true;
      work()
        .then(
          () => {
            failures = 0;
          },
          (error: unknown) => {
            notBeforeMs = clock.now() + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures);
            failures += 1;
            log.error({ err: error }, onFailure);
          },
        )
        .finally(() => {
          isBusy = false;
        });
    },
    reset() {
      failures = 0;
      notBeforeMs = 0;
    },
  };
}
