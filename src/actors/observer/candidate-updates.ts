/** Which update a candidate is made of: read from its release once, while inputs go on. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Model } from "../../models/index.ts";
import { UPDATE_ORIGIN } from "../../models/updates/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface CandidateUpdatesDeps {
  readonly model: Pick<Model, "release">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CandidateUpdates {
  /** Never waits: the first call begins to read it. @returns undefined while it is not known, and where it is of no update */
  updateOf(release: number): number | undefined;
}

/** Pause before the next attempt to read a release while the store is away, ms. */
const RETRY_MS = 500;
/** Candidates come one after another: one that returns after so many others is read again. */
const KEPT_RELEASES = 64;

export function createCandidateUpdates(
  { model, clock, log }: CandidateUpdatesDeps,
  signal: AbortSignal,
): CandidateUpdates {
  /** Undefined: not known, or of no update. */
  const updates = new Map<number, number | undefined>();

  const read = async (release: number): Promise<void> => {
    while (!signal.aborted) {
      try {
        const { kind, generation } = (await model.release(release)).manifest.origin;
        if (kind === UPDATE_ORIGIN && generation > 0) updates.set(release, generation);
        return;
      } catch (error) {
        log.warn({ err: error, release }, "comparisons with this candidate are not observed");
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) return;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  };

  return {
    updateOf(release) {
      if (updates.has(release)) return updates.get(release);
      for (const oldest of updates.keys()) {
        if (updates.size < KEPT_RELEASES) break;
        updates.delete(oldest);
      }
      updates.set(release, undefined);
      void read(release);
      return undefined;
    },
  };
}
