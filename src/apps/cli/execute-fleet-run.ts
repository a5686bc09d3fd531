/** Carries a run on a fleet from spec to results: begins it (or goes on with it), shows it, and keeps what it leaves behind. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BackendInfo } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import { openCheckpoints } from "../../runtime/checkpoint/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { connectFleet, type ConnectedFleet } from "../fleet/connect-fleet.ts";
import { awaitOutcome, launchRun, relaunchRun, stopRun } from "../fleet/launch.ts";
import type { RunRecordEntry, RunStatus } from "../fleet/records.ts";
import { bucketsOf } from "../fleet/run-host.ts";
import { type SpawnedFleet, spawnFleet } from "../fleet/spawned-fleet.ts";
import { actorsOf, CHECKPOINT_BUCKETS, planOf } from "../run/compose-actors.ts";
import { prepareRun } from "../run/prepare-run.ts";
import { resultsOf } from "../run/results.ts";
import { type RunFolder, writeJson } from "../run/run-folder.ts";
import { createRunMonitor } from "../run/run-monitor.ts";
import { chooseView, drawUntil, type ExecuteDeps, type ExecuteOptions, report } from "./execute-run.ts";
import { EXIT_OK, EXIT_SIGINT, EXIT_SIGTERM, exitCodeOf } from "./exit-codes.ts";
import { openRunLog } from "./run-log.ts";

export interface FleetRunOptions extends ExecuteOptions {
  /** "fleet", or "spawn:<n>". */
  readonly nodes: string;
  /** Begins the run and leaves it to the fleet. */
  readonly detach: boolean;
}

/** How long spawned nodes may take to join, ms: each loads its backend and measures itself. */
const JOIN_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 200;

/** @param isResumed go on with the run of that name. @returns the exit code. */
export async function executeFleetRun(
  folder: RunFolder,
  isResumed: boolean,
  options: FleetRunOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name } = folder;
  await using runLog = openRunLog(folder.logPath, name);
  const { log } = runLog;
  const { dataset, slices } = await prepareRun({ spec, data: options.data, env });
  const spawned = parseSpawned(options.nodes);
  if (spawned !== undefined && options.detach) throw needsFleet();
  await using fleetOfOurs =
    spawned === undefined
      ? undefined
      : await spawnFleet(
          {
            nodes: spawned,
            folder: join(folder.path, "fleet"),
            backend: options.backend,
            env,
            ...(options.data === undefined ? {} : { data: options.data }),
            ...(/^nats:\/\/./.test(options.bus) ? { address: options.bus } : {}),
          },
          { clock },
        );
  await using connected = await connectFleet(
    { address: fleetOfOurs?.address ?? options.bus, name: `kn ${name}` },
    { log },
  );
  const { bus, fleet } = connected;
  if (fleetOfOurs !== undefined) await awaitNodes(connected, fleetOfOurs, deps);

  const plan = planOf(spec, dataset);
  const record = isResumed
    ? await relaunchRun(name, fleet, terminal.note)
    : await launchRun(
        { run: name, spec, slices, totalSteps: plan.totalSteps, dataset: dataset.fingerprint },
        fleet,
        clock,
      );
  const say = (line: string): void => {
    if (!options.json) terminal.write(line);
  };
  say(`run ${name} in ${folder.path}`);
  say(
    `${slices.length} blocks on ${placesOf(record)}, ${plan.totalSteps} steps, bus ${bus.description}${record.from === undefined ? "" : `, from step ${record.from.generation}`}`,
  );
  if (options.detach) {
    say(`it goes on by itself; look at it with: kn status ${name} --follow --bus ${options.bus}`);
    return EXIT_OK;
  }

  const monitor = createRunMonitor(actorsOf(spec).blocks.at(-1) ?? "");
  const watching = createControlChannel({ run: name, actor: "view" }, { bus, log }).watch("*", (event) => {
    monitor.observe(event, clock.now());
  });
  const view = chooseView(options, deps, plan.totalSteps, slices.length);
  const leaving = new AbortController();
  let signalled: number | undefined;
  const forget = terminal.onSignal((signal) => {
    if (signalled !== undefined) return;
    signalled = signal === "SIGINT" ? EXIT_SIGINT : EXIT_SIGTERM;
    if (fleetOfOurs === undefined) {
      view.note(`${signal}: leaving; the run goes on. Stop it with: kn stop ${name} --bus ${options.bus}`);
      leaving.abort(new Error("left"));
    } else {
      view.note(`${signal}: saving a checkpoint, then ending`);
      stopRun(name, fleet).catch((error: unknown) => {
        log.error({ err: error }, "stop not requested");
        leaving.abort(error);
      });
    }
  });
  const ticking = new AbortController();
  const drawing = drawUntil(ticking.signal, clock, () => {
    view.update(monitor.figures());
  });
  try {
    const status = await awaitOutcome(record, { fleet, clock }, () => undefined, leaving.signal);
    ticking.abort();
    await drawing;
    view.finish(monitor.figures());
    const results = await keepResults(folder, record, status, { connected, dataset, spec, slices, log, deps });
    report(results, folder, options, terminal);
    if (status.outcome === "failed") throw new Error(status.error ?? "the run failed");
    return status.outcome === "stopped" ? (signalled ?? EXIT_OK) : EXIT_OK;
  } catch (error) {
    ticking.abort();
    await drawing;
    view.finish(monitor.figures());
    if (leaving.signal.aborted && signalled !== undefined) return signalled;
    log.error({ err: error }, "run failed");
    terminal.note(error instanceof Error ? error.message : String(error));
    return exitCodeOf(error);
  } finally {
    forget();
    watching.unsubscribe();
  }
}

interface KeepContext {
  readonly connected: ConnectedFleet;
  readonly dataset: Parameters<typeof resultsOf>[1]["dataset"];
  readonly spec: RunFolder["spec"];
  readonly slices: Parameters<typeof resultsOf>[1]["slices"];
  readonly log: Logger;
  readonly deps: ExecuteDeps;
}

/** Writes the results, and brings the newest checkpoint into the run's folder, where `kn evaluate` finds it. */
async function keepResults(
  folder: RunFolder,
  run: RunRecordEntry,
  status: RunStatus,
  { connected, dataset, spec, slices, log, deps }: KeepContext,
) {
  const { fleet, bus } = connected;
  const { record } = status;
  const nodes = await fleet.nodes.all().catch(() => []);
  const backends = actorsOf(spec).blocks.map((block): BackendInfo => {
    const node = nodes.find(({ name }) => name === run.actors[block]);
    return { name: node?.backend ?? "unknown", version: node?.backendVersion ?? "" } as unknown as BackendInfo;
  });
  const results = resultsOf(
    {
      outcome: status.outcome ?? "failed",
      record,
      backends,
      seconds: status.seconds,
      ...(status.error === undefined ? {} : { error: new Error(status.error) }),
    },
    {
      run: folder.name,
      spec,
      slices,
      dataset,
      bus: bus.description,
      stepsBefore: run.from?.generation ?? 0,
      startedMs: Date.parse(status.startedAt),
    },
  );
  await writeJson(folder.resultsPath, results);
  try {
    await mkdir(folder.path, { recursive: true });
    await using local = await fileStore({ directory: folder.storePath, clock: deps.clock });
    const target = await openCheckpoints(local, CHECKPOINT_BUCKETS);
    const source = await openCheckpoints(fleet.store, bucketsOf(folder.name));
    const [manifest] = await source.manifests();
    if (manifest !== undefined) {
      for (const actor of Object.keys(manifest.actors)) {
        await target.save(actor, manifest, await source.load(actor, manifest));
      }
      await target.commit(manifest);
    }
  } catch (error) {
    log.warn({ err: error }, "checkpoint not copied into the run's folder");
    deps.terminal.note(`the checkpoint stays in the fleet: ${error instanceof Error ? error.message : String(error)}`);
  }
  return results;
}

/** "node-1, node-2". */
function placesOf({ actors }: RunRecordEntry): string {
  return [...new Set(Object.values(actors))].sort().join(", ");
}

async function awaitNodes({ fleet }: ConnectedFleet, { nodes }: SpawnedFleet, { clock }: ExecuteDeps): Promise<void> {
  const deadlineMs = clock.now() + JOIN_DEADLINE_MS;
  for (;;) {
    const there = new Set((await fleet.nodes.all()).map(({ name }) => name));
    const absent = nodes.filter(({ name }) => !there.has(name));
    if (absent.length === 0) return;
    if (clock.now() >= deadlineMs) {
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: "start the nodes",
        rule: `each must join within ${JOIN_DEADLINE_MS} ms`,
        value: `${absent.map(({ name }) => name).join(", ")} did not`,
        remedy: "what they said is in fleet/<node>.out in the run's folder",
      });
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
}

/** @returns how many nodes to spawn; undefined for a fleet that runs. */
function parseSpawned(nodes: string): number | undefined {
  if (nodes === "fleet") return undefined;
  const [, count] = /^spawn:(\d{1,3})$/.exec(nodes) ?? [];
  if (Number(count) >= 1) return Number(count);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "place the actors",
    rule: "--nodes must be `here`, `fleet` or `spawn:<number of nodes>`",
    value: nodes,
    remedy: "for example --nodes spawn:4",
  });
}

function needsFleet(): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: "leave the run to the fleet",
    rule: "--detach needs --nodes fleet: spawned nodes end with this process",
    remedy: "start nodes with `kn node` and use --nodes fleet",
  });
}
