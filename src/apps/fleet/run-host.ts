/** The actors of one run that live on this node: makes it so when the assignment changes. */
import type { BackendPreference } from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { failureOf } from "../../messages/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import { type Checkpoints, openCheckpoints } from "../../runtime/checkpoint/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { TrainingSpec } from "../../spec/index.ts";
import { type ActorComposer, actorsOf, createActorComposer, planOf } from "../run/compose-actors.ts";
import { type ActorHost, createActorHost } from "./actor-host.ts";
import type { Fleet } from "./fleet.ts";
import { isElsewhere } from "./placement.ts";
import type { RunRecordEntry } from "./records.ts";

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
  readonly openDataset: (spec: TrainingSpec) => Promise<Dataset>;
}

export interface RunHost {
  readonly run: string;
  /** The assignment that it follows. */
  readonly record: RunRecordEntry;
  readonly actors: readonly ActorHost[];
  /** Follows another assignment; calls are taken one after another. */
  follow(record: RunRecordEntry): Promise<void>;
  /** Opens the run's checkpoints, anew where the store was lost. */
  openCheckpoints(): Promise<Checkpoints>;
  stop(): Promise<void>;
}

/** Where a run's checkpoints are in the shared store. */
export function bucketsOf(run: string): { readonly blobs: string; readonly manifests: string } {
  return { blobs: `checkpoints-${run}`, manifests: `manifests-${run}` };
}

export function createRunHost(first: RunRecordEntry, options: RunHostOptions, deps: RunHostDeps): RunHost {
  const { run } = first;
  const { node, instance } = options;
  const { fleet, bus, clock, store } = deps;
  const log = deps.log.child({ run });
  let record = first;
  let composer: ActorComposer | undefined;
  let hosts: ActorHost[] = [];
  let followed = "";
  let tail: Promise<void> = Promise.resolve();

  const open = (): Promise<Checkpoints> => openCheckpoints(store, bucketsOf(run));

  const wanted = ({ spec, actors, desired }: RunRecordEntry): string[] =>
    desired === "ended" ? [] : actorsOf(spec).all.filter((id) => actors[id] === node);

  /** What decides how the actors here are made; the same: nothing to do. */
  const signatureOf = (of: RunRecordEntry): string => {
    const ids = wanted(of);
    const elsewhere = ids.map((id) => isElsewhere(of.actors, Number(/\d+$/.exec(id)?.[0] ?? -1)));
    return JSON.stringify([of.timeline, ids, elsewhere]);
  };

  const openDataset = async (): Promise<Dataset> => {
    const dataset = await deps.openDataset(record.spec);
    const [found, expected] = [dataset.fingerprint, record.dataset];
    if (found === expected && planOf(record.spec, dataset).totalSteps === record.totalSteps) return dataset;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `feed ${run} from ${node}`,
      rule: `the data must be those that the run was planned with, ${expected}`,
      value: found,
      remedy: "put the same files on both machines (--data, KN_DATA)",
    });
  };

  const startAll = async (): Promise<void> => {
    const { spec, slices, totalSteps, timeline, from, actors } = record;
    const checkpoints = await open();
    const fresh = createActorComposer(
      { run, spec, slices, totalSteps, timeline, from },
      {
        backend: options.backend,
        softwareVersion: options.softwareVersion,
        metadata: { node },
        isElsewhere: (boundary) => isElsewhere(actors, boundary),
      },
      { bus, clock, log, checkpoints, openDataset },
    );
    composer = fresh;
    for (const id of wanted(record)) {
      const host = createActorHost(
        { run, id, node, instance, create: await fresh.compose(id) },
        { bus, clock, log, leases: fleet.leases },
      );
      hosts.push(host);
      // A gradient model first: its block asks for it when it opens.
      await host.started;
    }
  };

  const stopAll = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.stop()));
    hosts = [];
    await composer?.[Symbol.asyncDispose]();
    composer = undefined;
  };

  const change = async (next: RunRecordEntry): Promise<void> => {
    record = next;
    const signature = signatureOf(next);
    if (signature === followed) return;
    await stopAll();
    followed = signature;
    try {
      await startAll();
    } catch (error) {
      // Data that are not there, a store that is full: the coordinator hears of it and ends the run.
      log.error({ err: error }, "actors not started");
      createControlChannel({ run, actor: `supervisor-${node}` }, { bus, log }).emit({
        ...failureOf(error),
        directive: "escalate",
      });
      followed = "";
    }
  };

  return {
    run,
    get record() {
      return record;
    },
    get actors() {
      return hosts;
    },
    follow(next) {
      tail = tail.then(() => change(next));
      return tail;
    },
    openCheckpoints: open,
    async stop() {
      tail = tail.then(stopAll);
      await tail;
    },
  };
}
