/** The actors of one run that live on this node: makes it so when the assignment changes. */
import type { BackendPreference } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { failureOf } from "../messages/index.ts";
import { createControlChannel } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import { type Checkpoints, openCheckpoints, openReleases, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Store } from "../runtime/store/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { parseActorRef, type RunSpec } from "../run-spec/index.ts";
import type { RecordCache } from "../runtime/cache/index.ts";
import { type ActorComposer, createActorComposer } from "../jobs/compose-actors.ts";
import { actorsOf, planOf } from "../jobs/run-plan.ts";
import { type ActorHost, createActorHost } from "./actor-host.ts";
import type { Fleet } from "./fleet.ts";
import { isElsewhere } from "./placement.ts";
import { phaseOf, type RunRecordEntry } from "./records.ts";

export interface RunHostOptions {
  readonly node: string;
  readonly instance: string;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
}

export interface RunHostDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Blobs here and in the shared store. */
  readonly store: Store;
  readonly openDataset: (spec: RunSpec) => Promise<Dataset>;
  /** Where teacher sections on this node keep what they have said; undefined: nowhere. */
  readonly openCache: (spec: RunSpec) => RecordCache | undefined;
}

export interface RunHost {
  readonly run: string;
  /** The assignment that it follows. */
  readonly record: RunRecordEntry;
  readonly actors: readonly ActorHost[];
  /** Follows another assignment; calls are taken one after another. */
  follow(record: RunRecordEntry): Promise<void>;
  /** Tensors alive in its workers here. */
  countTensors(): Promise<number>;
  /** Opens the run's checkpoints, anew where the store was lost. */
  openCheckpoints(): Promise<Checkpoints>;
  stop(): Promise<void>;
}

export function createRunHost(first: RunRecordEntry, options: RunHostOptions, deps: RunHostDeps): RunHost {
  const { run } = first;
  const { node, instance } = options;
  const { fleet, bus, clock, store } = deps;
  const log = deps.log.child({ run });
  let record = first;
  let composer: ActorComposer | undefined;
  let cache: RecordCache | undefined;
  /** What lives here, and what it was made by. */
  const hosts = new Map<string, { readonly host: ActorHost; readonly signature: string }>();
  let tail: Promise<void> = Promise.resolve();

  const wanted = ({ spec, phase, actors, desired }: RunRecordEntry): string[] =>
    desired === "ended" ? [] : actorsOf(spec, phase).all.filter((id) => actors[id] === node);

  /** What decides how an actor is made; the same: it stays as it is. */
  const signatureOf = (id: string, of: RunRecordEntry): string => {
    const ref = parseActorRef(id);
    const hasBoundary = ref?.kind === "block" || ref?.kind === "gradient-model";
    return JSON.stringify([of.timeline, hasBoundary && isElsewhere(of.actors, ref.index)]);
  };

  const openDataset = async (): Promise<Dataset> => {
    const dataset = await deps.openDataset(record.spec);
    const [found, expected] = [dataset.fingerprint, record.dataset];
    if (found === expected && planOf(record.spec, dataset, record.phase).totalSteps === phaseOf(record).totalSteps)
      return dataset;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `feed ${run} from ${node}`,
      rule: `the data must be those that the run was planned with, ${expected}`,
      value: found,
      remedy: "put the same files on both machines (--data, KN_DATA)",
    });
  };

  const open = (): Promise<Checkpoints> => openCheckpoints(store, scopeOfRun(run));

  const openComposer = async (): Promise<ActorComposer> => {
    const { spec, dataset, slices, teacherSlices, phase, timeline, from } = record;
    const { totalSteps, startAfter } = phaseOf(record);
    cache ??= deps.openCache(spec);
    return createActorComposer(
      { run, spec, dataset, phase, slices, teacherSlices, totalSteps, startAfter, timeline, from },
      {
        backend: options.backend,
        softwareVersion: options.softwareVersion,
        metadata: { node },
        isElsewhere: (boundary) => isElsewhere(record.actors, boundary),
      },
      {
        bus,
        clock,
        log,
        checkpoints: await open(),
        teachers: await openReleases(store, scopeOfRun(run)),
        cache,
        openDataset,
      },
    );
  };

  const start = async (id: string): Promise<void> => {
    composer ??= await openComposer();
    const create = await composer.compose(id);
    const host = createActorHost(
      { run, id, node, instance, create },
      { bus, clock, log, leases: fleet.leases, fences: fleet.fences },
    );
    hosts.set(id, { host, signature: signatureOf(id, record) });
    // A gradient model first: its block asks for it when it opens.
    await host.started;
  };

  const stop = async (ids: readonly string[]): Promise<void> => {
    await Promise.all(ids.map((id) => hosts.get(id)?.host.stop() ?? Promise.resolve()));
    for (const id of ids) {
      hosts.delete(id);
      await composer?.release(id);
    }
  };

  const stopAll = async (): Promise<void> => {
    await stop([...hosts.keys()]);
    await composer?.[Symbol.asyncDispose]();
    composer = undefined;
    await cache?.close();
    cache = undefined;
  };

  const change = async (next: RunRecordEntry): Promise<void> => {
    const isNewTimeline = next.timeline !== record.timeline;
    record = next;
    const ids = wanted(next);
    try {
      if (isNewTimeline) await stopAll();
      else
        await stop(
          [...hosts].flatMap(([id, { signature }]) =>
            ids.includes(id) && signature === signatureOf(id, next) ? [] : [id],
          ),
        );
      for (const id of ids) if (!hosts.has(id)) await start(id);
    } catch (error) {
      // Data that are not there, a store that is full: the coordinator hears of it and ends the run.
      log.error({ err: error }, "actors not started");
      createControlChannel({ run, actor: `supervisor-${node}` }, { bus, log }).emit({
        ...failureOf(error),
        directive: "escalate",
      });
    }
  };

  return {
    run,
    get record() {
      return record;
    },
    get actors() {
      return [...hosts.values()].map(({ host }) => host);
    },
    follow(next) {
      tail = tail.then(() => change(next));
      return tail;
    },
    countTensors: () => composer?.countTensors() ?? Promise.resolve(0),
    openCheckpoints: open,
    async stop() {
      tail = tail.then(stopAll);
      await tail;
    },
  };
}
