/** Starts the replicas of a served model where it is served: in this process, in processes of their own, or on nodes. */
import { hostname } from "node:os";
import process from "node:process";
import type { BackendPreference } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { openServingOffice } from "../../fleet/serving-office.ts";
import type { ServingActorDeps, ServingActorOptions } from "../../jobs/kinds/serving/serving-actors.ts";
import type { Model } from "../../models/index.ts";
import { startAll } from "../../runtime/start-all.ts";
import { layersOfBlocks, type ServingSpec } from "../../run-spec/index.ts";
import { keepReplicaProcess, type ReplicaProcessOptions } from "./replica-process.ts";
import { ownIndex, startReplica } from "./run-replica.ts";

/** In this process, in processes that it starts (their options), on the nodes of the fleet, or none of its own. */
export type ReplicaPlace = "here" | ReplicaProcessOptions | "fleet" | "none";

/** A part that is ended with the others, and whose own end is a failure. */
export type Part = AsyncDisposable & { readonly ended: Promise<void | Error> };

export interface StartReplicasOptions extends ServingActorOptions {
  readonly backend: BackendPreference;
  readonly replicas: ReplicaPlace;
  /** Other processes reach the bus: names must differ from theirs. */
  readonly isShared: boolean;
}

export interface StartReplicasDeps extends ServingActorDeps {
  /** For replicas on the nodes. */
  readonly fleet?: Fleet | undefined;
  /** Receives lines for the operator. */
  readonly say: (line: string) => void;
}

/**
 * By blocks, it waits for the first release that is live, which says how many there are. Resolves with undefined when
 * `signal` comes first. Rejects as `startReplica` and `openServingOffice`.
 */
export async function startReplicas(
  options: StartReplicasOptions,
  deps: StartReplicasDeps,
  signal: AbortSignal,
): Promise<Part[] | undefined> {
  const { run, spec, replicas, isShared } = options;
  if (replicas === "none") return [];
  const slices = await countSlices(spec, deps, signal);
  if (slices === undefined) return undefined;
  if (replicas === "fleet") {
    const { fleet } = deps;
    if (fleet === undefined) throw new RangeError("replicas on nodes need a fleet");
    return [await openServingOffice({ run, spec, slices, holder: `${hostname()}:${process.pid}` }, { ...deps, fleet })];
  }
  const first = isShared ? ownIndex() : 0;
  const places = Array.from({ length: slices * spec.replicas }, (_, index) => ({
    slice: index % slices,
    slices,
    copy: first + Math.floor(index / slices),
  }));
  if (replicas !== "here") return places.map((each) => keepReplicaProcess({ ...replicas, ...each, spec, run }, deps));
  return startAll(places.map((each) => () => startReplica({ ...options, ...each }, deps)));
}

/**
 * Nodes take a model from the store of their fleet.
 *
 * @throws KnowledgeNetError KN_CONFIG where this process has no fleet, or the models are in a folder
 */
export function assertOnFleet({
  bus,
  models,
}: {
  readonly bus: string | undefined;
  readonly models: string | undefined;
}): void {
  if (bus !== undefined && models === undefined) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "place the replicas",
    rule: "replicas on a fleet's nodes must come with its --bus or KN_BUS, in whose store the models are",
    value: bus === undefined ? "no address" : `models in ${models}`,
    remedy: "for example --bus nats://127.0.0.1:4222, without --models",
  });
}

/** By blocks, the number of blocks of what is live: waits for the first release. @returns undefined after an abort */
async function countSlices(
  { mode }: ServingSpec,
  { model, say }: { readonly model: Model; readonly say: (line: string) => void },
  signal: AbortSignal,
): Promise<number | undefined> {
  let isToldSo = false;
  for await (const { live } of model.changes(signal)) {
    if (live !== undefined) {
      if (mode === "whole") return 1;
      return layersOfBlocks((await model.release(live)).manifest.network).length;
    }
    if (!isToldSo) say(`no release of ${model.name} is live yet: kn promote ${model.name}`);
    isToldSo = true;
    if (mode === "whole") return 1;
  }
  return undefined;
}
