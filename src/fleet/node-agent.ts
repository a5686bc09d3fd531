/**
 * One process of the fleet: node-chart.ts with its effects. It announces itself, follows the run records, and hosts the
 * actors that they assign to it.
 */
import { fromPromise } from "xstate";
import { isKnowledgeNetError } from "../errors/index.ts";
import { hostMachine } from "../runtime/actor/index.ts";
import { settlesWithin } from "../runtime/clock/index.ts";
import { abortOf } from "./abort.ts";
import type { HostedRun } from "./hosted-run.ts";
import { nodeChart } from "./node-chart.ts";
import { createReplicaHost, type ReplicaHostDeps } from "./replica-host.ts";
import { announceNode, type Presence } from "./presence.ts";
import type { NodeRecord } from "./records.ts";
import { createRunRegistry, type RunRegistryDeps, type RunRegistryOptions } from "./run-registry.ts";

export interface NodeAgentOptions extends Pick<RunRegistryOptions, "backend"> {
  readonly record: NodeRecord;
}

export interface NodeAgentDeps extends RunRegistryDeps {
  /** Starts the process of a replica. @default this node hosts no replicas */
  readonly keepReplica?: ReplicaHostDeps["keepReplica"];
}

export interface NodeAgent {
  /** "joining", "member", "leaving", "gone", "expelled". */
  readonly state: string;
  /** Runs with actors on this node. */
  readonly runs: readonly HostedRun[];
  /** Replicas of served models on this node. */
  readonly replicas: readonly string[];
  /** State of this node's controller for each of them. */
  readonly controls: readonly { readonly run: string; readonly state: string }[];
  /** Reasons why this node cannot host some runs: they use another version of the messages. */
  readonly unreadyReasons: readonly string[];
  /** Resolves when it has ended: with KN_FENCED when another node took its name. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Resolves when it is a member, or was stopped before. Rejects with KN_CONFIG when a present node has its name. */
  start(): Promise<void>;
  /** Stops its actors, releases their leases, leaves the fleet. */
  stop(): Promise<void>;
}

/** Pause before an ended watch begins again, ms. */
const REWATCH_MS = 1_000;
/** Time limit for releasing the name, ms: the record expires anyway, and all state is saved by then. */
const RELEASE_MS = 5_000;

export function createNodeAgent({ record, backend }: NodeAgentOptions, deps: NodeAgentDeps): NodeAgent {
  const { name, instance, softwareVersion, wireVersion } = record;
  const { fleet, bus, clock, log } = deps;
  const registry = createRunRegistry({ node: name, instance, softwareVersion, wireVersion, backend }, deps);
  const { keepReplica } = deps;
  const replicaHost =
    keepReplica === undefined ? undefined : createReplicaHost({ node: name, fleet, clock, log, keepReplica });
  let presence: Presence | undefined;
  let joining: Promise<void> = Promise.resolve();
  let rewatch = new AbortController();

  const slots = (): Record<string, string> =>
    Object.fromEntries(
      registry.runs.flatMap(({ run, actors }) => actors.map(({ id, state }) => [`${run}.${id}`, state])),
    );

  const join = async (signal: AbortSignal): Promise<void> => {
    const announced = await announceNode(
      record,
      { fleet, bus, clock, log, facts: () => ({ state: host.state, slots: slots() }) },
      signal,
    );
    presence = announced;
    void announced.ended.then((error) => {
      if (error instanceof Error) host.send({ type: "NameTaken", error });
    });
  };

  const watchOnce = async (signal: AbortSignal): Promise<void> => {
    for await (const change of fleet.runs.kv.watch(">", { signal })) {
      if (change.kind === "delete") {
        registry.follow(change.key, undefined);
        continue;
      }
      const wanted = fleet.runs.parse(change.entry);
      if (wanted === undefined) log.warn({ key: change.entry.key }, "a run's record does not parse; ignored");
      else registry.follow(wanted.run, wanted);
    }
  };

  /** Restores a lost store from this node's copies of the records; a record that was deleted stays deleted. */
  const onReconnected = async (): Promise<void> => {
    try {
      const { isLost } = await fleet.reopen();
      for (const { run, record: known, openCheckpoints } of isLost ? registry.runs : []) {
        await openCheckpoints();
        await fleet.runs.create(run, known).catch((error: unknown) => {
          if (!isKnowledgeNetError(error, "KN_FENCED")) throw error;
        });
      }
    } catch (error) {
      log.warn({ err: error }, "fleet records not restored; the next reconnection repeats it");
    }
    rewatch.abort();
  };

  const follow = async (signal: AbortSignal): Promise<void> => {
    const forget = bus.on("reconnected", () => {
      void onReconnected();
    });
    try {
      while (!signal.aborted) {
        rewatch = new AbortController();
        await watchOnce(AbortSignal.any([rewatch.signal, signal])).catch((error: unknown) => {
          log.warn({ err: error }, "watch of the runs ended; it begins again");
        });
        if (!rewatch.signal.aborted) await clock.sleep(REWATCH_MS, signal).catch(() => undefined);
      }
    } finally {
      forget();
    }
  };

  const leave = async (): Promise<void> => {
    await registry[Symbol.asyncDispose]();
    // Stopped while it joins, it may be about to hold the name.
    const released = joining.catch(() => undefined).then(() => presence?.leave());
    if (!(await settlesWithin(RELEASE_MS, released, clock)))
      log.warn({ node: name }, "name not released: the server does not answer; it expires");
  };

  const host = hostMachine(
    nodeChart.provide({
      actors: {
        join: fromPromise(({ signal }) => {
          joining = join(signal);
          return joining;
        }),
        follow: fromPromise(async ({ signal }) => {
          await Promise.all([follow(signal), replicaHost?.run(signal)]);
          await abortOf(signal);
        }),
        leave: fromPromise(leave),
      },
    }),
    undefined as never,
    {
      clock,
      onState: (state) => {
        log.info({ node: name, state }, "node");
      },
    },
  );

  return {
    get state() {
      return host.state;
    },
    get runs() {
      return registry.runs;
    },
    get replicas() {
      return replicaHost?.replicas ?? [];
    },
    get controls() {
      return [...registry.controllers].map(([run, { state }]) => ({ run, state }));
    },
    get unreadyReasons() {
      return registry.unreadyReasons;
    },
    ended: host.ended,
    async start() {
      host.start();
      await host
        .waitFor((state) => state === "member")
        .catch(async (error: unknown) => {
          if ((await host.ended) instanceof Error) throw error;
        });
    },
    async stop() {
      host.send({ type: "Stop" });
      await host.ended;
    },
  };
}
