/** The oracle of a continuous run: a published model with replicas of its own, which nobody else asks. */
import type { BackendPreference } from "../../compute/index.ts";
import type { ServedModel } from "../../actors/gateway/index.ts";
import { createServingGateway } from "../../jobs/kinds/serving/serving-actors.ts";
import type { Model } from "../../models/index.ts";
import { startAll } from "../../runtime/start-all.ts";
import { type ContinuousSpec, layersOfBlocks, type ServingSpec, servingSpecSchema } from "../../run-spec/index.ts";
import { runOfModel } from "../serve/replica-process.ts";
import { ownIndex, startReplica } from "../serve/run-replica.ts";
import type { ServingActorDeps } from "../../jobs/kinds/serving/serving-actors.ts";

export interface StartOracleOptions {
  readonly spec: ContinuousSpec;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  readonly host: string;
  /** Other processes reach the bus. */
  readonly isShared: boolean;
}

export interface StartedOracle extends AsyncDisposable {
  readonly served: ServedModel;
  readonly model: Model;
  /** Of any part, with its error. Never rejects. */
  readonly ended: Promise<void | Error>;
}

/** Resolves when its parts run; a release may not be ready yet. Rejects with KN_CONFIG when no release is live. */
export async function startOracle(
  { spec: { oracle }, backend, softwareVersion, host, isShared }: StartOracleOptions,
  deps: ServingActorDeps,
): Promise<StartedOracle> {
  const { model } = deps;
  const spec: ServingSpec = servingSpecSchema.parse({
    ...{ kind: "serving", name: oracle.model, model: oracle.model, mode: oracle.mode, replicas: oracle.replicas },
    // It can wait: labels are needed by the end of a window, not at once.
    latency: { targetMs: 30_000, timeoutMs: 30_000 },
  });
  const options = { run: runOfModel(oracle.model), spec, softwareVersion, metadata: { role: "oracle" }, host };
  const gateway = createServingGateway(options, { index: isShared ? ownIndex() : 0, fence: 0 }, deps);
  const startGateway = async () => {
    await gateway.start();
    return { ended: gateway.ended, [Symbol.asyncDispose]: () => gateway.stop() };
  };
  const others = await replicaStarts(options, backend, isShared, deps);
  const parts = await startAll<AsyncDisposable & { readonly ended: Promise<void | Error> }>([startGateway, ...others]);
  return {
    served: gateway.model,
    model,
    ended: Promise.race(parts.map(({ ended }) => ended)),
    async [Symbol.asyncDispose]() {
      for (const each of parts) await each[Symbol.asyncDispose]();
    },
  };
}

async function replicaStarts(
  options: Parameters<typeof createServingGateway>[0],
  backend: BackendPreference,
  isShared: boolean,
  deps: ServingActorDeps,
) {
  const { spec } = options;
  const { live } = await deps.model.live();
  const blocks = live === undefined ? 1 : layersOfBlocks((await deps.model.release(live)).manifest.network).length;
  const slices = spec.mode === "whole" ? 1 : blocks;
  const first = isShared ? ownIndex() : 0;
  return Array.from({ length: slices * spec.replicas }, (_, index) => () => {
    const place = { slice: index % slices, slices, copy: first + Math.floor(index / slices) };
    return startReplica({ ...options, ...place, backend }, deps);
  });
}
