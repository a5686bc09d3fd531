/**
 * The replicas of served models on one node, each in a process of its own: never in that of the training actors. Follows the
 * serving records; where these cannot be read, what runs goes on.
 */
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { parseActorRef, type ServingSpec } from "../run-spec/index.ts";
import type { Fleet } from "./fleet.ts";
import { WIRE_VERSION } from "./records.ts";

/** One replica, for the process that computes it. */
export interface HostedReplica {
  readonly run: string;
  readonly spec: ServingSpec;
  readonly slice: number;
  readonly slices: number;
  readonly copy: number;
}

export interface ReplicaHostDeps {
  readonly node: string;
  readonly fleet: Pick<Fleet, "serving">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Starts a process and keeps it running until it is disposed of. */
  readonly keepReplica: (replica: HostedReplica) => AsyncDisposable;
}

export interface ReplicaHost {
  /** `<run>.<replica>` of those that run here. */
  readonly replicas: readonly string[];
  /** Follows the records until the signal aborts, then ends the replicas. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** Time between two looks at the records, ms: they expire without a notice. */
const LOOK_MS = 1_000;

export function createReplicaHost({ node, fleet, clock, log, keepReplica }: ReplicaHostDeps): ReplicaHost {
  const running = new Map<string, { readonly key: string; readonly kept: AsyncDisposable }>();

  const wanted = async (): Promise<Map<string, HostedReplica>> => {
    const found = new Map<string, HostedReplica>();
    for (const { run, spec, slices, replicas, wireVersion } of await fleet.serving.all()) {
      if (wireVersion !== WIRE_VERSION) continue;
      for (const [id, at] of Object.entries(replicas)) {
        const ref = at === node ? parseActorRef(id) : undefined;
        if (ref?.kind !== "replica") continue;
        found.set(`${run}.${id}`, { run, spec, slice: ref.index, slices, copy: ref.copy });
      }
    }
    return found;
  };

  const stop = async (name: string): Promise<void> => {
    const ending = running.get(name);
    running.delete(name);
    log.info({ replica: name }, "replica ends here");
    await ending?.kept[Symbol.asyncDispose]();
  };

  const reconcile = async (): Promise<void> => {
    const replicas = await wanted();
    for (const [name, { key }] of [...running]) {
      const replica = replicas.get(name);
      if (replica === undefined || JSON.stringify(replica) !== key) await stop(name);
    }
    for (const [name, replica] of replicas) {
      if (running.has(name)) continue;
      log.info({ replica: name }, "replica starts here");
      running.set(name, { key: JSON.stringify(replica), kept: keepReplica(replica) });
    }
  };

  return {
    get replicas() {
      return [...running.keys()];
    },
    async run(signal) {
      while (!signal.aborted) {
        await reconcile().catch((error: unknown) => {
          log.warn({ err: error }, "serving records not read; the replicas go on");
        });
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      }
      await Promise.all([...running.keys()].map(stop));
    },
  };
}
