/** The parts that actors are made of, and the composer of one job kind. */
import type { BackendPreference } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Actor } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import type { ActorMemory, ActorMemoryOptions, Checkpoints, Releases } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { ComputeSite, StartWorker } from "./compute-site.ts";
import type { RunPlan } from "./run-parts.ts";

export interface ComposerOptions {
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  /** Shown by `nats service info` for every actor. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the gradient model of this boundary is in another process than its block. */
  readonly isElsewhere: (boundary: number) => boolean;
}

export interface ComposerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly checkpoints: Checkpoints;
  /** Versions of the teacher; empty for a job without one. */
  readonly teachers: Releases;
  /** Cache of teacher activations; undefined: none. */
  readonly cache: RecordCache | undefined;
  /** Starts a compute worker. @default a worker thread of this process */
  readonly startWorker?: StartWorker | undefined;
  /** Opens the data set; called when the feeder is composed. */
  readonly openDataset: () => Promise<Dataset>;
}

/** Makes one incarnation of an actor. */
export type CreateActor = (fence: number) => Actor;

/** Plan and collaborators from which a job kind makes its actors. */
export interface ComposeContext {
  readonly plan: RunPlan;
  readonly options: ComposerOptions;
  readonly deps: ComposerDeps;
  /** Options that every actor has. */
  readonly shared: (
    id: string,
    fence: number,
    metadata: Readonly<Record<string, string>>,
  ) => {
    readonly run: string;
    readonly id: string;
    readonly fence: number;
    readonly maxFrameBytes: number;
    readonly softwareVersion: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
  /** Collaborators of one incarnation of an actor, and its memory. */
  readonly depsOf: (
    id: string,
    fence: number,
    begin?: ActorMemoryOptions["begin"],
  ) => ComposerDeps & { readonly memory: ActorMemory };
}

/** Makes the actors of one run, all but the feeder and the coordinator. */
export interface KindComposer {
  /** Compute sites, by the actor that owns each. */
  readonly sites: Map<string, ComputeSite>;
  /** @returns undefined when the run has no actor of that id. */
  compose(id: string): CreateActor | undefined;
}
