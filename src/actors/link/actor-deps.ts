/** Options and collaborators of every kind of actor. */
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface ActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Options of every kind of actor. */
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

/** Options of every kind of actor that sends or receives tensors. */
export interface StreamActorOptions extends ActorOptions {
  /** Largest frame of the run's plan, bytes: `flow.maxFrameMiB`. */
  readonly maxFrameBytes: number;
}
