/** The fleet of a service whose server may come later: it is waited for, and the obstacle is reported. */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ConnectedFleet, connectFleet, ConnectFleetOptions } from "./connect-fleet.ts";

/** Pause before the next attempt on an unusable server, ms. */
const RETRY_MS = 1_000;

export interface ReachFleetOptions extends ConnectFleetOptions {
  readonly signal: AbortSignal;
  /** False: an unreachable server is an error. */
  readonly isPatient: boolean;
}

export interface ReachFleetDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly connect: typeof connectFleet;
  /** Receives the reason for each wait that differs from the one before. */
  readonly onObstacle: (reason: string) => void;
}

/**
 * Resolves with undefined when `signal` comes first. Rejects as `connectFleet`, but with KN_UNAVAILABLE only where it is
 * not patient.
 */
export async function reachFleet(
  { isPatient, ...options }: ReachFleetOptions,
  { clock, log, connect, onObstacle }: ReachFleetDeps,
): Promise<ConnectedFleet | undefined> {
  const { signal } = options;
  let obstacle: string | undefined;
  while (!signal.aborted) {
    try {
      return await connect(options, { log });
    } catch (error) {
      if (signal.aborted) return undefined;
      // Wrong credentials stay wrong; an unreachable server may return.
      if (!isPatient || !isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      if (error.message !== obstacle) onObstacle(error.message);
      obstacle = error.message;
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}
