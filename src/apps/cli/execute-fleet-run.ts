/**
 * Executes a run on a fleet, from its folder to its results: launches or resumes it, shows it, and fetches its results.
 */
import { delimiter, join } from "node:path";
import type { BackendInfo } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import { copyGeneration, openCheckpoints, openReleases, scopeOfRun } from "../../runtime/artifacts/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ConnectedFleet } from "../connect/connect-fleet.ts";
import { awaitOutcome, joinRun, launchRun, relaunchRun, runRecordOf, stopRun } from "../../fleet/launch.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { phaseOf, type RunRecordEntry } from "../../fleet/records.ts";
import { withHistory } from "../../fleet/run-history.ts";
import type { RunStatus } from "../../fleet/run-status.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { ROOTS_VARIABLE } from "../node/folder-roots.ts";
import { spawnFleet } from "../connect/spawned-fleet.ts";
import { checkBus } from "../../jobs/check-frames.ts";
import { jobKindOf } from "../../jobs/kinds/index.ts";
import { actorsOf, shownLearners } from "../../jobs/run-plan.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { describeAddress, isServerAddress } from "../connect/bus-address.ts";
import { claimRun } from "../connect/run-claim.ts";
import { checkSameTrainedSpec, type RunFolder } from "../../jobs/run-folder.ts";
import { createRunMonitor } from "../../jobs/run-monitor.ts";
import { awaitFleet, FLEET_DEADLINE_MS } from "./await-fleet.ts";
import { chooseView, drawUntil, type ExecuteDeps, type ExecuteOptions, reportOutages } from "./execute-run.ts";
import { EXIT_BY_SIGNAL, EXIT_OK, exitCodeOf, exitCodeOfErrorCode } from "./exit.ts";
import { keepResults, type PhaseEnd, reportFolder } from "./keep-results.ts";
import { parseSpawned } from "./options.ts";
import { openRunLog } from "./run-log.ts";

export interface FleetRunOptions extends ExecuteOptions {
  /** "fleet", or "spawn:<n>". */
  readonly nodes: string;
  /** Of a running fleet: number of nodes to wait for. @default 1 */
  readonly minNodes?: number;
  /** Launches the run and returns. */
  readonly detach: boolean;
}

/**
 * A refusal rejects before `folder.keep` is called: nothing has been launched then.
 *
 * @param isResumed continue the run of that name.
 * @returns the exit code
 */
export async function executeFleetRun(
  folder: RunFolder,
  prepared: PreparedRun,
  isResumed: boolean,
  options: FleetRunOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name } = folder;
  const { dataset } = prepared;
  const spawned = parseSpawned(options.nodes);
  if (spawned !== undefined && options.detach) throw needsFleet();
  await using runLog = openRunLog(folder.logPath, name, ({ message }) => {
    terminal.note(`the log ${folder.logPath} cannot be written: ${message}; the run continues without it`);
  });
  const { log } = runLog;
  await using ownFleet =
    spawned === undefined
      ? undefined
      : await spawnFleet(
          {
            nodes: spawned,
            folder: join(folder.path, "fleet"),
            backend: options.backend,
            // Spawned nodes accept the folders that this process's spec names.
            env: {
              ...env,
              [ROOTS_VARIABLE]: [env[ROOTS_VARIABLE], ...foldersOf(spec)].filter(Boolean).join(delimiter),
            },
            ...(options.data === undefined ? {} : { data: options.data }),
            ...(isServerAddress(options.bus) ? { address: options.bus } : {}),
          },
          { clock },
        );
  const isWaiting = options.minNodes !== undefined;
  await using connected = await deps.connectFleet(
    {
      address: ownFleet?.address ?? options.bus,
      name: `kn ${name}`,
      ...(isWaiting ? { connectTimeoutMs: FLEET_DEADLINE_MS } : {}),
    },
    { log },
  );
  const { bus, fleet } = connected;
  checkBus(spec, prepared, bus);
  const address = describeAddress(options.bus);
  const say = (line: string): void => {
    if (!options.json) terminal.write(line);
  };
  const known = isResumed ? undefined : await joinRun(name, spec, fleet);
  const isNew = !isResumed && known === undefined;
  // Held until the run's actors appear on the bus: a process that hosts all actors may be using the name.
  await using claim = known === undefined ? await claimRun(name, { isActorRefused: isNew }, { bus, clock }) : undefined;
  // From here on the folder holds the nodes' logs and the launched run.
  folder.keep();
  const minNodes = known === undefined ? options.minNodes : undefined;
  await awaitFleet({ own: ownFleet, minNodes, say }, fleet, clock);

  if (isNew && jobKindOf(spec).teaching !== undefined) await shareTeacher(folder, fleet, clock);
  if (isResumed) checkSameTrainedSpec(name, (await runRecordOf(name, fleet)).spec, spec);
  const record = isResumed
    ? await relaunchRun(name, dataset, fleet, terminal.note)
    : (known ?? (await launchRun({ run: name, spec, ...prepared }, fleet, clock)));
  await claim?.[Symbol.asyncDispose]();
  const learners = shownLearners(spec, record.phase);
  const { totalSteps } = phaseOf(record);
  say(`run ${name} in ${folder.path}`);
  say(
    `${learners.text} on ${placesOf(record)}, ${totalSteps} steps, bus ${bus.description}${record.from === undefined ? "" : `, from step ${record.from.generation}`}`,
  );
  if (options.detach) {
    say(`the fleet runs it; follow it with: kn status ${name} --follow --bus ${address}`);
    return EXIT_OK;
  }

  let monitor = createRunMonitor(learners.ids.at(-1) ?? "");
  const watching = createControlChannel({ run: name, actor: "view" }, { bus, log }).watch("*", (event) => {
    monitor.observe(event, clock.now());
  });
  let view = chooseView(options, deps, totalSteps, learners);
  let shown = record.phase;
  const showPhase = (phase: RunRecordEntry["phase"]): void => {
    if (phase === shown) return;
    shown = phase;
    view.finish(monitor.figures());
    const next = phaseOf({ ...record, phase });
    const learning = shownLearners(spec, phase);
    say(`${phase}: ${learning.text}, ${next.totalSteps} steps`);
    monitor = createRunMonitor(learning.ids.at(-1) ?? "");
    view = chooseView(options, deps, next.totalSteps, learning);
  };
  const leaving = new AbortController();
  let signalled: number | undefined;
  const forget = terminal.onSignal((signal) => {
    if (signalled !== undefined) return;
    signalled = EXIT_BY_SIGNAL[signal];
    const note = (line: string): void => {
      if (signal !== "SIGPIPE") view.note(`${signal}: ${line}`); // `kn run | head` ends quietly
    };
    if (ownFleet === undefined) {
      note(`leaving; the run continues. Stop it with: kn stop ${name} --bus ${address}`);
      leaving.abort(new Error("left"));
    } else {
      note("saving a checkpoint, then ending");
      stopRun(name, fleet).catch((error: unknown) => {
        log.error({ err: error }, "stop not requested");
        leaving.abort(error);
      });
    }
  });
  const unwatch = reportOutages(bus, log, (line) => {
    view.note(line);
  });
  let shownProblem: string | undefined;
  const ticking = new AbortController();
  const drawing = drawUntil(ticking.signal, clock, () => {
    view.update(monitor.figures());
  });
  try {
    const status = await awaitOutcome(
      record,
      { fleet, clock },
      ({ phase, problem }) => {
        showPhase(phase);
        if (problem !== undefined && problem !== shownProblem) view.note(`waiting: ${problem}`);
        shownProblem = problem;
      },
      leaving.signal,
    );
    ticking.abort();
    await drawing;
    view.finish(monitor.figures());
    const ends = await endsOf(record, await withHistory(status, fleet.store), connected);
    await keepResults(ends, folder, { ...prepared, run: name, bus: bus.description });
    await fetchCheckpoint(folder, connected, log, deps);
    await reportFolder(folder, status.outcome === "stopped" ? status.record.step : undefined, options, terminal);
    if (status.outcome === "failed") {
      log.error({ error: status.error, code: status.code }, "run failed");
      terminal.note(status.error ?? "the run failed");
      return exitCodeOfErrorCode(status.code);
    }
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
    unwatch();
    forget();
    watching.unsubscribe();
  }
}

/** Outcome of each phase of the run. */
async function endsOf(run: RunRecordEntry, status: RunStatus, { fleet }: ConnectedFleet): Promise<PhaseEnd[]> {
  const nodes = await fleet.nodes.all().catch(() => []);
  const { actors } = (await fleet.runs.get(run.run).catch(() => undefined))?.value ?? run;
  const backendsIn = (phase: RunStatus["phase"]): BackendInfo[] =>
    actorsOf(run.spec, phase).learners.map((learner) => {
      const node = nodes.find(({ name }) => name === actors[learner]);
      return { name: node?.backend ?? "unknown", version: node?.backendVersion ?? "" } as unknown as BackendInfo;
    });
  const before = status.done.map(
    ({ phase, seconds, record }): PhaseEnd => ({
      phase,
      stepsBefore: 0,
      startedMs: 0,
      end: { outcome: "completed", record, seconds, backends: backendsIn(phase) },
    }),
  );
  const last: PhaseEnd = {
    phase: status.phase,
    stepsBefore: status.phase === run.phase ? (run.from?.generation ?? 0) : 0,
    startedMs: Date.parse(status.startedAt),
    end: {
      outcome: status.outcome ?? "failed",
      record: status.record,
      seconds: status.seconds,
      backends: backendsIn(status.phase),
      ...(status.error === undefined ? {} : { error: new Error(status.error) }),
    },
  };
  return [...before, last];
}

/** Copies the newest checkpoint of every phase into the run's folder, where `kn evaluate` reads it. */
async function fetchCheckpoint(
  folder: RunFolder,
  { fleet }: ConnectedFleet,
  log: Logger,
  { clock, terminal }: ExecuteDeps,
): Promise<void> {
  try {
    await using local = await fileStore({ directory: folder.storePath, clock });
    const scope = scopeOfRun(folder.name);
    const source = await openCheckpoints(fleet.store, scope);
    const newest = new Map((await source.manifests()).reverse().map((manifest) => [manifest.phase, manifest]));
    for (const manifest of newest.values()) await copyGeneration(manifest, scope, { from: fleet.store, to: local });
  } catch (error) {
    log.warn({ err: error }, "checkpoint not copied into the run's folder");
    terminal.note(
      `the checkpoint stays in the fleet's store only: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Publishes the run's teacher in the fleet's store, for all nodes. */
async function shareTeacher(folder: RunFolder, fleet: Fleet, clock: Clock): Promise<void> {
  await using local = await fileStore({ directory: folder.storePath, clock });
  const source = await openReleases(local, scopeOfRun(folder.name));
  const release = await source.newest();
  if (release === undefined) return;
  const parts = await Promise.all(release.digests.map((_, part) => source.load(release, part)));
  await (await openReleases(fleet.store, scopeOfRun(folder.name))).publish(parts);
}

/** "node-1, node-2". */
function placesOf({ actors }: RunRecordEntry): string {
  return [...new Set(Object.values(actors))].sort().join(", ");
}

function needsFleet(): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: "launch the run and return",
    rule: "--detach needs --nodes fleet: spawned nodes end with this process",
    remedy: "start nodes by `kn node` and use --nodes fleet",
  });
}

/** Folders of this machine that a spec names. */
function foldersOf(spec: RunSpec): string[] {
  const cache = jobKindOf(spec).teaching?.cacheOf(spec);
  return [spec.data.directory, cache?.directory].flatMap((each) => (each === undefined ? [] : [each]));
}
