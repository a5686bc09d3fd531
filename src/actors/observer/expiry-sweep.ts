/** Deletes observations from the log once their time is over: within a minute, while an observer of the model runs. */
import { openObservationLog } from "../../models/observations/index.ts";
import type { ObserverActorDeps } from "./observer-options.ts";

export interface ExpirySweepDeps extends Pick<ObserverActorDeps, "clock" | "log" | "store"> {
  /** ms since 1970. */
  readonly nowMs: () => number;
}

/** Between two sweeps, ms: beside a time to live of an hour it is little. */
const SWEEP_MS = 60_000;

/** Until the signal aborts. Never rejects: a store that is away is swept later. */
export async function sweepExpired(
  model: string,
  { clock, log, store, nowMs }: ExpirySweepDeps,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await store.use(async (opened) => (await openObservationLog(opened, model)).removeExpired(nowMs()));
    } catch (error) {
      log.debug({ err: error }, "expired observations not deleted; trying again");
    }
    await clock.sleep(SWEEP_MS, signal).catch(() => undefined);
  }
}
