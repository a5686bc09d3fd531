/** One replica, supervised, until a signal ends it: in a process of its own, or beside a gateway. */
import type { BackendPreference } from "../../compute/index.ts";
import {
  createReplicaSite,
  type ServingActorDeps,
  type ServingActorOptions,
} from "../../jobs/kinds/serving/serving-actors.ts";
import { createSupervisor } from "../../runtime/actor/index.ts";
import { uniqueId } from "../../runtime/unique-id.ts";

export interface RunReplicaOptions extends ServingActorOptions {
  readonly slice: number;
  readonly slices: number;
  readonly copy: number;
  readonly backend: BackendPreference;
}

export interface RunningReplica extends AsyncDisposable {
  readonly id: string;
  readonly state: string;
  /** With the error that its supervisor gave up at, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
}

/** Resolves when it runs. Rejects when it cannot be started. */
export async function startReplica(options: RunReplicaOptions, deps: ServingActorDeps): Promise<RunningReplica> {
  const site = createReplicaSite(options, options, deps);
  const supervisor = createSupervisor(
    { isPatient: true },
    { ...deps, factory: () => site.create(0, uniqueId().slice(0, 16)) },
  );
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    await site[Symbol.asyncDispose]();
  };
  try {
    await supervisor.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    id: site.id,
    get state() {
      return supervisor.actor.state;
    },
    ended: supervisor.ended,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * A number for an actor that no record numbers: two of the hundred processes of a model have the same with a chance below 5
 * in 1,000, and then each takes turns in the other's place; a restart ends it.
 */
export function ownIndex(): number {
  return 1 + (Number.parseInt(uniqueId().slice(0, 8), 16) % 999_999);
}
