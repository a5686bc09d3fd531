/** The nodes that a command needs: those that it has started itself, or so many of a running fleet. */
import { awaitNodes } from "../../fleet/await-nodes.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { SpawnedFleet } from "../connect/spawned-fleet.ts";

export interface AwaitFleetOptions {
  /** Nodes of its own; undefined: none. */
  readonly own: Pick<SpawnedFleet, "nodes"> | undefined;
  /** Number of nodes to wait for; undefined: those that are there. */
  readonly minNodes: number | undefined;
  /** Receives lines for the operator. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Time limit for spawned nodes to join, ms: each loads its backend and measures its speed. */
const JOIN_DEADLINE_MS = 60_000;
/** Time limit for the nodes of a fleet and their server to appear, ms: images may have to be pulled. */
export const FLEET_DEADLINE_MS = 600_000;

/** Rejects with KN_UNAVAILABLE when they have not joined in time, with the reason of `signal` after an abort. */
export async function awaitFleet(
  { own, minNodes, say, signal }: AwaitFleetOptions,
  fleet: Fleet,
  clock: Clock,
): Promise<void> {
  if (own !== undefined) {
    const remedy = "their output is in fleet/<node>.out in the run's folder";
    const names = own.nodes.map(({ name }) => name);
    await awaitNodes({ names, deadlineMs: JOIN_DEADLINE_MS, remedy, signal }, fleet, clock);
  }
  if (minNodes !== undefined) {
    const remedy = "`kn nodes --bus ...` lists the nodes that joined; check the logs of the others";
    await awaitNodes({ count: minNodes, deadlineMs: FLEET_DEADLINE_MS, remedy, onChange: say, signal }, fleet, clock);
  }
}
