/**
 * Resources of this node from which the actors of one attempt of a run are composed: opened for the first slot that
 * needs them, opened again after a failure, closed when no slot uses them.
 */
import type { Dataset } from "../data/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { type ActorComposer, createActorComposer } from "../jobs/compose-actors.ts";
import type { ComposerDeps } from "../jobs/composer.ts";
import { planOf } from "../jobs/run-plan.ts";
import { openCheckpoints, openReleases, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { RunSpec } from "../run-spec/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import type { Store } from "../runtime/store/index.ts";
import { isElsewhere } from "./placement.ts";
import { phaseOf, type RunRecordEntry } from "./records.ts";

export interface CompositionOptions {
  readonly node: string;
  readonly backend: Parameters<typeof createActorComposer>[1]["backend"];
  readonly softwareVersion: string;
}

export interface CompositionDeps extends Pick<ComposerDeps, "bus" | "clock" | "log" | "startWorker"> {
  readonly store: Store;
  readonly openDataset: (spec: RunSpec) => Promise<Dataset>;
  readonly openCache: (spec: RunSpec) => RecordCache | undefined;
  /** @default the composer of the run's kind */
  readonly createComposer?: typeof createActorComposer;
}

export interface Composition {
  readonly attempt: number;
  composer(): Promise<ActorComposer>;
  /** Closes the actor's compute worker, if one was opened. */
  release(id: string): Promise<void>;
  countTensors(): Promise<number>;
  close(): Promise<void>;
}

/** @param current the run's record as it is when an actor is composed */
export function createComposition(
  current: () => RunRecordEntry,
  options: CompositionOptions,
  deps: CompositionDeps,
): Composition {
  const { run, spec, dataset: fingerprint, slices, teacherSlices, phase, attempt, from } = current();
  const { totalSteps, startAfter } = phaseOf(current());
  const { createComposer = createActorComposer } = deps;
  let opening: Promise<ActorComposer> | undefined;
  let cache: RecordCache | undefined;

  const openDataset = async (): Promise<Dataset> => {
    const dataset = await deps.openDataset(spec);
    const { dataset: expected } = current();
    if (dataset.fingerprint === expected && planOf(spec, dataset, phase).totalSteps === totalSteps) return dataset;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `feed ${run} from ${options.node}`,
      rule: `the data must match the fingerprint in the run's plan, ${expected}`,
      value: dataset.fingerprint,
      remedy: "put the same files on both machines (--data, KN_DATA)",
    });
  };

  const open = async (): Promise<ActorComposer> => {
    const checkpoints = await openCheckpoints(deps.store, scopeOfRun(run));
    const teachers = await openReleases(deps.store, scopeOfRun(run));
    cache ??= deps.openCache(spec);
    return createComposer(
      { run, spec, dataset: fingerprint, phase, slices, teacherSlices, totalSteps, startAfter, attempt, from },
      {
        backend: options.backend,
        softwareVersion: options.softwareVersion,
        metadata: { node: options.node },
        isElsewhere: (boundary) => isElsewhere(current().actors, boundary),
      },
      {
        ...{ bus: deps.bus, clock: deps.clock, log: deps.log, startWorker: deps.startWorker },
        ...{ checkpoints, teachers, cache, openDataset },
      },
    );
  };

  return {
    attempt,
    composer() {
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async release(id) {
      await (await opening?.catch(() => undefined))?.release(id);
    },
    async countTensors() {
      return (await (await opening?.catch(() => undefined))?.countTensors()) ?? 0;
    },
    async close() {
      await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
      await cache?.close();
    },
  };
}
