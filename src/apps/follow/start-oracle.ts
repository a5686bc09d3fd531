/** The oracle of a continuous run: a published model with replicas of its own, which nobody else asks. */
import type { ServedModel } from "../../actors/gateway/index.ts";
import { createServingGateway } from "../../jobs/kinds/serving/serving-actors.ts";
import type { Model } from "../../models/index.ts";
import { type ContinuousSpec, oracleServing } from "../../run-spec/index.ts";
import { runOfModel } from "../serve/replica-process.ts";
import { ownIndex } from "../serve/run-replica.ts";
import {
  type Part,
  startReplicas,
  type StartReplicasDeps,
  type StartReplicasOptions,
} from "../serve/start-replicas.ts";

export interface StartOracleOptions extends Omit<StartReplicasOptions, "run" | "spec" | "metadata"> {
  readonly spec: ContinuousSpec;
}

export interface StartedOracle extends AsyncDisposable {
  readonly served: ServedModel;
  readonly model: Model;
  /** Of any part, with its error. Never rejects. */
  readonly ended: Promise<void | Error>;
}

/** Resolves when its parts run, or after an abort; a release may not be ready yet. Rejects as `startReplicas`. */
export async function startOracle(
  options: StartOracleOptions,
  deps: StartReplicasDeps,
  signal: AbortSignal,
): Promise<StartedOracle> {
  const spec = oracleServing(options.spec);
  const serving = { ...options, run: runOfModel(spec.model), spec, metadata: { role: "oracle" } };
  const gateway = createServingGateway(serving, { index: options.isShared ? ownIndex() : 0, fence: 0 }, deps);
  await gateway.start();
  const parts: Part[] = [{ ended: gateway.ended, [Symbol.asyncDispose]: () => gateway.stop() }];
  const stop = async (): Promise<void> => {
    for (const each of parts) await each[Symbol.asyncDispose]();
  };
  try {
    parts.push(...((await startReplicas(serving, deps, signal)) ?? []));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    served: gateway.model,
    model: deps.model,
    ended: Promise.race(parts.map(({ ended }) => ended)),
    [Symbol.asyncDispose]: stop,
  };
}
