import type { InferenceHandle, InferenceUnitOptions } from "../../compute/index.ts";
import type { Model } from "../../models/index.ts";
import type { ActorDeps, StreamActorOptions } from "../link/index.ts";

export interface ReplicaActorOptions extends StreamActorOptions {
  /** Slice that it computes, from 0. */
  readonly slice: number;
  /** 1: the whole network; else one slice for each block of it. */
  readonly slices: number;
  /** Distinguishes the processes that are this actor one after another; a subject token. */
  readonly instance: string;
  /** Largest batch; a release computes one sample and one such batch before it is announced. */
  readonly maxBatch: number;
  /** Name of its machine. */
  readonly host: string;
  /** Batches that may wait here beside those in the worker; more are refused. */
  readonly maxWaiting: number;
}

export interface ReplicaActorDeps extends ActorDeps {
  readonly model: Model;
  /** Opens the network of one topology in this replica's compute worker. */
  readonly openUnit: (options: InferenceUnitOptions) => Promise<InferenceHandle>;
  /** Tensors alive in it. */
  readonly countTensors: () => Promise<number>;
}
