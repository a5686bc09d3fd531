/** Makes the actors of a served model from its spec. Each replica has a compute worker of its own. */
import { createGatewayActor, type Gateway, type GatewayActorDeps } from "../../../actors/gateway/index.ts";
import { createObserverActor, type ObserverActorDeps } from "../../../actors/observer/index.ts";
import { createReplicaActor } from "../../../actors/replica/index.ts";
import { type BackendPreference, openInference } from "../../../compute/index.ts";
import type { Model } from "../../../models/index.ts";
import type { Actor } from "../../../runtime/actor/index.ts";
import type { Bus } from "../../../runtime/bus/index.ts";
import type { Clock } from "../../../runtime/clock/index.ts";
import type { Logger } from "../../../runtime/telemetry/index.ts";
import {
  gatewayActor,
  maxFrameBytesOf,
  type ObserveSpec,
  observerActor,
  replicaActor,
  type ServingSpec,
} from "../../../run-spec/index.ts";
import { type ComputeSite, createComputeSite, type StartWorker } from "../../compute-site.ts";
import { createWorkerBoundActor } from "../../worker-bound-actor.ts";

export interface ServingActorOptions {
  readonly run: string;
  readonly spec: ServingSpec;
  readonly softwareVersion: string;
  /** Name of the machine. */
  readonly host: string;
  /** Facts shown by `nats service info`. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ServingActorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly model: Model;
}

export interface ReplicaPlace {
  /** Slice of the network, from 0, and their number. */
  readonly slice: number;
  readonly slices: number;
  /** Which of the replicas of this slice. */
  readonly copy: number;
  readonly backend: BackendPreference;
}

export interface ReplicaSite extends AsyncDisposable {
  readonly id: string;
  readonly compute: ComputeSite;
  /** An incarnation of the replica. @param instance distinguishes it from those before */
  create(fence: number, instance: string): Actor;
}

/** Batches that may wait at a replica beside those in its worker: those of a few gateways. */
const MAX_WAITING_BATCHES = 16;

/** A replica and its compute worker, which a later incarnation uses again. */
export function createReplicaSite(
  { run, spec, softwareVersion, metadata, host }: ServingActorOptions,
  { slice, slices, copy, backend }: ReplicaPlace,
  { bus, clock, log, model }: ServingActorDeps,
  startWorker?: StartWorker,
): ReplicaSite {
  const id = replicaActor(slice, copy);
  const compute = createComputeSite(backend, startWorker);
  let units = 0;
  return {
    id,
    compute,
    create(fence, instance) {
      const actor = createReplicaActor(
        {
          run,
          id,
          fence,
          softwareVersion,
          metadata: { model: spec.model, slice: `${slice} of ${slices}`, ...metadata },
          maxFrameBytes: maxFrameBytesOf(spec),
          slice,
          slices,
          instance,
          host,
          maxBatch: spec.batch.maxSamples,
          maxWaiting: MAX_WAITING_BATCHES,
        },
        {
          bus,
          clock,
          log: log.child({ actor: id }),
          model,
          countTensors: () => compute.countTensors(),
          async openUnit(options) {
            units += 1;
            return openInference(await compute.worker(), `${id}.${units}`, options);
          },
        },
      );
      return createWorkerBoundActor(actor, compute);
    },
    [Symbol.asyncDispose]: () => compute.close(),
  };
}

export function createServingGateway(
  { run, spec, softwareVersion, metadata, host }: ServingActorOptions,
  { index, fence }: { readonly index: number; readonly fence: number },
  deps: ServingActorDeps & Pick<GatewayActorDeps, "observer">,
): Gateway {
  const id = gatewayActor(index);
  const { batch, latency, maxWaitingSamples } = spec;
  return createGatewayActor(
    {
      run,
      id,
      fence,
      softwareVersion,
      metadata: { model: spec.model, ...metadata },
      maxFrameBytes: maxFrameBytesOf(spec),
      maxBatch: batch.maxSamples,
      maxBulkBatch: Math.min(batch.bulkSamples, batch.maxSamples),
      ...latency,
      host,
      maxWaitingSamples,
      observe: spec.observe?.requests ?? "none",
    },
    { ...deps, log: deps.log.child({ actor: id }) },
  );
}

export interface ObserverPlace {
  readonly index: number;
  readonly fence: number;
  /** Of this incarnation, unique among all observers: a subject token that begins with eight hexadecimal digits. */
  readonly epoch: string;
}

/** Observations that wait while the store is away: a quarter of an hour of the default budget. */
const MAX_HELD_INPUTS = 1_800;
const MAX_HELD_BYTES = 32 * 1024 * 1024;

/** The observer of a model, over the store of its site. */
export function createModelObserver(
  {
    run,
    observe,
    softwareVersion,
    metadata,
  }: Omit<ServingActorOptions, "spec" | "host"> & {
    readonly observe: ObserveSpec;
  },
  { index, fence, epoch }: ObserverPlace,
  deps: ServingActorDeps & Pick<ObserverActorDeps, "store" | "redact">,
): Actor {
  const id = observerActor(index);
  const { inputsPerMinute, bytesPerMinute, slotsPerMinute, uniformShare, ttlMs, keepEntries } = observe;
  return createObserverActor(
    {
      ...{ run, id, fence, softwareVersion, epoch, slotsPerMinute, uniformShare, ttlMs },
      metadata: { model: deps.model.name, ...metadata },
      seed: Number.parseInt(epoch.slice(0, 8), 16),
      budget: { inputsPerMinute, bytesPerMinute },
      maxEntries: keepEntries,
      maxHeldInputs: MAX_HELD_INPUTS,
      maxHeldBytes: MAX_HELD_BYTES,
    },
    { ...deps, log: deps.log.child({ actor: id }) },
  );
}
