/** What every kind of actor is given. */
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface ActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What every kind of actor is told. */
export interface ActorOptions {
  /** Name of the run. */
  readonly run: string;
  /** Name of the actor, unique in the run. */
  readonly id: string;
  /** Fence of its lease, higher for each incarnation; 0 where nobody else could take its place. */
  readonly fence: number;
  /** Version of the software, for `nats service info`. */
  readonly softwareVersion: string;
  /** Facts shown by `nats service info`, besides run and actor. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Time without progress after which a sender repeats what is not consumed, ms. Well above a slow step's time. */
export const RESEND_AFTER_MS = 3_000;

/** Largest frame that an actor takes, bytes: eight times the widest boundary of the four-layer net at batch 1024. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
