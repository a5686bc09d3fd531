/**
 * Checkpoints whose commit is retried while the store is unavailable: an outage of seconds does not fail a saved run.
 */
import { isKnowledgeNetError } from "../errors/index.ts";
import type { Checkpoints } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";

/** Pause between two tries, ms. */
const RETRY_MS = 1_000;

export interface PatientCheckpointsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the retries: the commit then rejects with its last failure. */
  readonly signal: AbortSignal;
}

export function patientCheckpoints(
  checkpoints: Checkpoints,
  { clock, log, signal }: PatientCheckpointsDeps,
): Checkpoints {
  return {
    ...checkpoints,
    async commit(manifest, fence) {
      for (;;) {
        try {
          await checkpoints.commit(manifest, fence);
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
