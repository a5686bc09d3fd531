/**
 * One node process from its configuration to its end: probes first, then the fleet, so that probes can report why it is
 * not ready.
 */
import { join } from "node:path";
import { type BackendPreference, createComputeWorker } from "../../compute/index.ts";
import { type Clock, settlesWithin } from "../../runtime/clock/index.ts";
import { fileStore, mirroredStore } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { connectFleet, type ConnectedFleet } from "../connect/connect-fleet.ts";
import { reachFleet } from "../connect/reach-fleet.ts";
import { describeNode } from "../../fleet/describe-node.ts";
import { createServingGovernor, governed } from "../../fleet/serving-governor.ts";
import { createNodeAgent } from "../../fleet/node-agent.ts";
import { machineName } from "../connect/machine-name.ts";
import type { BusAccess } from "../connect/bus-address.ts";
import { jobKindOf } from "../../jobs/kinds/index.ts";
import { cacheRoot } from "../../../setup/index.ts";
import { keepReplicaProcess } from "../serve/replica-process.ts";
import { openKnowledgeCache } from "../knowledge-cache.ts";
import { openDataset } from "../open-dataset.ts";
import { assertWithinRoots, folderRoots } from "./folder-roots.ts";
import { serveNodeHttp } from "./node-http.ts";
import { createNodeMetrics } from "./node-metrics.ts";

export interface NodeSettings {
  readonly bus: string | BusAccess;
  /** The same for a process that this one starts: a URL, or a file that names it. @default it hosts no replicas */
  readonly busAddress?: string | undefined;
  readonly name?: string | undefined;
  /** Comma-separated `key=value` pairs. */
  readonly labels?: string | undefined;
  readonly backend: BackendPreference;
  readonly data?: string | undefined;
  /** Folder of the models for the replicas here. @default the store of the fleet */
  readonly models?: string | undefined;
  readonly state: string;
  /** host:port of the probes; a node with probes waits for its server without limit. */
  readonly http?: string | undefined;
}

export interface RunNodeDeps {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly softwareVersion: string;
  readonly openLog: (name: string) => AsyncDisposable & { readonly log: Logger };
  /** Receives lines for the operator. */
  readonly say: (line: string) => void;
}

/** Time limit of a probe for answers of bus and store, ms. */
const PROBE_TIMEOUT_MS = 2_000;

/** Resolves when the node has left after `signal`. Rejects with the error that prevented or ended its membership. */
export async function runNode(settings: NodeSettings, deps: RunNodeDeps, signal: AbortSignal): Promise<void> {
  const { clock, env, softwareVersion, say } = deps;
  const { busAddress } = settings;
  const metrics = createNodeMetrics();
  /** Startup progress, as reported by the probes. */
  const stage: { unreadyReason: string; isComputing: boolean; unreadyInFleet?: () => Promise<readonly string[]> } = {
    unreadyReason: "the fleet is not joined yet",
    isComputing: false,
  };
  await using http =
    settings.http === undefined
      ? undefined
      : await serveNodeHttp(
          { address: settings.http },
          {
            starting: () => (stage.isComputing ? [] : ["the backend is being loaded"]),
            unready: async () => {
              if (signal.aborted) return ["the node leaves"];
              return stage.unreadyInFleet === undefined ? [stage.unreadyReason] : await stage.unreadyInFleet();
            },
            metrics,
          },
        );
  if (http !== undefined) say(`probes and metrics at ${http.address}`);

  const record = await describeNode({ ...settings, softwareVersion }, clock);
  stage.isComputing = true;
  const { name } = record;
  await using opened = deps.openLog(name);
  const { log } = opened;
  await using local = await fileStore({ directory: join(settings.state, name, "store"), clock });
  const onObstacle = (reason: string): void => {
    say(`waiting: ${reason}`);
    stage.unreadyReason = reason;
  };
  const found = await reachFleet(
    { address: settings.bus, name: `kn node ${name}`, signal, isPatient: settings.http !== undefined },
    { clock, log, connect: connectFleet, onObstacle },
  );
  if (found === undefined) return;
  await using connected = found;
  if (signal.aborted) return;
  const { bus, fleet } = connected;
  const roots = folderRoots([settings.state, settings.data, env["KN_DATA"], cacheRoot(env)], env);
  using governor = createServingGovernor(machineName(env), { bus, clock, log });
  const node = createNodeAgent(
    { record, backend: settings.backend },
    {
      fleet,
      bus,
      clock,
      log,
      startWorker: governed(createComputeWorker, governor),
      store: mirroredStore({ local, shared: fleet.store, log }),
      openDataset: async (spec) => {
        assertWithinRoots("data.directory", spec.data.directory, roots);
        return openDataset({
          data: spec.data,
          env,
          ...(settings.data === undefined ? {} : { directory: settings.data }),
        });
      },
      openCache: (spec) => {
        assertWithinRoots("cache.directory", jobKindOf(spec).teaching?.cacheOf(spec)?.directory, roots);
        return openKnowledgeCache(spec, { env, clock, log });
      },
      onChange: say,
      ...(busAddress === undefined
        ? {}
        : {
            keepReplica: (replica) =>
              keepReplicaProcess(
                {
                  ...replica,
                  address: busAddress,
                  models: settings.models,
                  folder: join(settings.state, name),
                  backend: settings.backend,
                  env,
                },
                { clock },
              ),
          }),
    },
  );
  const onJoined = async (): Promise<void> => {
    stage.unreadyInFleet = async () => [...node.unreadyReasons, ...(await probe(connected, clock))];
    metrics.observe({ record, bus, runs: () => node.runs });
    say(
      `node ${name} joined ${bus.description}: ${record.backend} ${record.backendVersion}, ${record.cores} cores, ${record.gflops} GFLOP/s`,
    );
    log.info({ node: record }, "joined");
    const others = (await fleet.nodes.all().catch(() => [])).filter(
      ({ wireVersion }) => wireVersion !== record.wireVersion,
    );
    if (others.length === 0) return;
    const theirs = others.map((other) => `${other.name} ${other.wireVersion}`).join(", ");
    say(`uses version ${record.wireVersion} of the messages; ${theirs}: no run can include both`);
  };
  const leave = (): void => {
    say(`node ${name} leaves`);
    void node.stop();
  };
  signal.addEventListener("abort", leave, { once: true });
  try {
    await node.start();
    if (!signal.aborted) await onJoined();
    const outcome = await node.ended;
    if (outcome instanceof Error) throw outcome;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** Reasons why the node is not ready. */
async function probe({ bus, fleet }: ConnectedFleet, clock: Clock): Promise<string[]> {
  const reach = async (what: string, work: Promise<unknown>): Promise<string[]> => {
    try {
      const isInTime = await settlesWithin(PROBE_TIMEOUT_MS, work, clock);
      return isInTime ? [] : [`${what} does not answer within ${PROBE_TIMEOUT_MS} ms`];
    } catch (error) {
      return [`${what}: ${error instanceof Error ? error.message : String(error)}`];
    }
  };
  const reasons = await Promise.all([
    reach(`the bus at ${bus.description}`, bus.flush()),
    reach("the fleet's store", fleet.nodes.kv.get("probe")),
  ]);
  return reasons.flat();
}
