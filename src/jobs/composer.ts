/** What actors are composed from, and what composes those of one kind of run. */
import type { BackendPreference } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Actor } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import type { ActorMemory, ActorMemoryOptions, Checkpoints, Releases } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { ComputeSite, StartWorker } from "./compute-site.ts";
import type { RunPlan } from "./run-plan.ts";

export interface ComposerOptions {
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  /** Facts that `nats service info` shows of every actor. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the gradient model of this boundary is not in its block's process. */
  readonly isElsewhere: (boundary: number) => boolean;
}

export interface ComposerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly checkpoints: Checkpoints;
  /** Versions of the teacher; of a distillation run. */
  readonly teachers: Releases;
  /** Where teacher sections keep what they have said; undefined: nowhere. */
  readonly cache: RecordCache | undefined;
  /** Starts a compute worker. @default a worker thread of this process */
  readonly startWorker?: StartWorker | undefined;
  /** Opens the data; called when the feeder is composed. */
  readonly openDataset: () => Promise<Dataset>;
}

/** What the actors of one kind of run are composed from. */
export interface ComposeContext {
  readonly plan: RunPlan;
  readonly options: ComposerOptions;
  readonly deps: ComposerDeps;
  /** What every actor is told. */
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
  /** What one incarnation of an actor is given, with its memory. */
  readonly depsOf: (
    id: string,
    fence: number,
    begin?: ActorMemoryOptions["begin"],
  ) => ComposerDeps & { readonly memory: ActorMemory };
}

/** The actors of one kind of run. */
export interface KindComposer {
  /** Where something computes, by the actor it belongs to. */
  readonly sites: Map<string, ComputeSite>;
  /** @returns what makes one incarnation; undefined when there is no such actor. */
  compose(id: string): ((fence: number) => Actor) | undefined;
}
