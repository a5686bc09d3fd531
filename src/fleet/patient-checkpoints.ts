/** Checkpoints whose commit outlasts a store that is away: a run that was saved does not fail for a moment's outage. */
import { isKnowledgeNetError } from "../errors/index.ts";
import type { Checkpoints } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";

/** Between two tries, ms. */
const RETRY_MS = 1_000;

export interface PatientCheckpointsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the waiting: the commit then rejects with its last failure. */
  readonly signal: AbortSignal;
}

export function patientCheckpoints(
  checkpoints: Checkpoints,
  { clock, log, signal }: PatientCheckpointsDeps,
): Checkpoints {
  return {
    ...checkpoints,
    async commit(...manifest) {
      for (;;) {
        try {
          await checkpoints.commit(...manifest);
          return;
        } catch (error) {
          if (!isKnowledgeNetError(error, "KN_UNAVAILABLE") || signal.aborted) throw error;
          log.warn({ err: error }, "checkpoint not committed; trying again");
        }
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    },
  };
}
