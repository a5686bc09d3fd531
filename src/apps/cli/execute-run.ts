/** Executes a run in this process, from its folder to its results: shared by `kn run`, `kn demo` and `kn resume`. */
import { randomBytes } from "node:crypto";
import { type BackendPreference, createComputeWorker } from "../../compute/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import { type Manifest, openCheckpoints, scopeOfRun } from "../../runtime/artifacts/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { createServingGovernor, governed } from "../../fleet/serving-governor.ts";
import { checkBus } from "../../jobs/check-frames.ts";
import type { connectFleet } from "../connect/connect-fleet.ts";
import { machineName } from "../connect/machine-name.ts";
import { openBus } from "../connect/open-bus.ts";
import { claimRun } from "../connect/run-claim.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { openKnowledgeCache } from "../knowledge-cache.ts";
import { createPhaseRun, type PhaseRun } from "../../jobs/phase-run.ts";
import type { RunFolder } from "../../jobs/run-folder.ts";
import { createRunMonitor } from "../../jobs/run-monitor.ts";
import { type PhaseStart, phasesOfRun, type ShownLearners, shownLearners, startAfter } from "../../jobs/run-plan.ts";
import { keepResults, type PhaseEnd, reportFolder } from "./keep-results.ts";
import { EXIT_BY_SIGNAL, EXIT_OK, exitCodeOf } from "./exit.ts";
import { openRunLog } from "./run-log.ts";
import { lineView, liveView, type RunView, silentView } from "./run-view.ts";
import type { Terminal } from "./terminal.ts";

/** Options of all commands that execute a run. */
export interface ExecuteOptions {
  readonly bus: string;
  readonly backend: BackendPreference;
  readonly data?: string;
  readonly json: boolean;
}

export interface ExecuteDeps {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly softwareVersion: string;
  readonly connectFleet: typeof connectFleet;
}

/** Interval of the live picture and of plain lines, ms. */
const VIEW_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;
/** One Ctrl-C under `npm run` arrives twice: from the terminal, and forwarded by npm. */
const SAME_SIGNAL_MS = 1_000;

/** `<spec>-<date>-<time>-<4 hex digits>`: sorts by time, and two at once differ. */
export function nameRun(spec: RunSpec, clock: Clock): string {
  const [date = "", time = ""] = new Date(clock.wallTimeMs()).toISOString().split("T");
  const stamp = `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
  return `${spec.name.slice(0, 40)}-${stamp}-${randomBytes(2).toString("hex")}`;
}

/**
 * Runs `folder`'s spec, phase after phase, starting from `newest` if given. A refusal rejects before
 * `folder.keep` is called: nothing has been published or saved then.
 *
 * @returns the exit code
 */
export async function executeRun(
  folder: RunFolder,
  prepared: PreparedRun,
  newest: Manifest | undefined,
  options: ExecuteOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name } = folder;
  const { dataset } = prepared;
  await using runLog = openRunLog(folder.logPath, name, ({ message }) => {
    terminal.note(`the log ${folder.logPath} cannot be written: ${message}; the run continues without it`);
  });
  const { log } = runLog;
  await using store = await fileStore({ directory: folder.storePath, clock });
  await using opened = await openBus({ bus: options.bus, name: `kn ${name}`, env, log });
  await using cache = openKnowledgeCache(spec, { env, clock, log });
  const { bus } = opened;
  using governor = createServingGovernor(machineName(env), { bus, clock, log });
  checkBus(spec, prepared, bus);
  await using claim = opened.isPrivate ? undefined : await claimRun(name, {}, { bus, clock });
  folder.keep();
  const say = (line: string): void => {
    if (!options.json) terminal.write(line);
  };
  say(`run ${name} in ${folder.path}`);

  const silent = silentView(terminal);
  const ends: PhaseEnd[] = [];
  let view: RunView = silent;
  let run: PhaseRun | undefined;
  let signalled: number | undefined;
  let signalledMs = 0;
  const forget = terminal.onSignal((signal) => {
    if (signalled !== undefined) {
      if (clock.now() - signalledMs > SAME_SIGNAL_MS) terminal.exit(signalled); // a second signal ends without a save
      return;
    }
    signalledMs = clock.now();
    signalled = EXIT_BY_SIGNAL[signal];
    log.info({ signal }, "stopping");
    // Without a reader of stdout there is usually none of stderr's lines either: `kn run | head` ends quietly.
    if (signal !== "SIGPIPE") view.note(`${signal}: saving a checkpoint, then ending; a second signal ends at once`);
    run?.requestStop();
  });
  const unwatch = reportOutages(bus, log, (line) => {
    view.note(line);
  });
  let lost: Error | undefined;
  void claim?.lost.then((error) => {
    lost = error;
    log.error({ err: error }, "name lost");
    run?.requestStop();
  });

  /** @returns outcome of the phase; all its resources are closed by then. */
  const runPhase = async ({ phase, attempt, from }: PhaseStart): Promise<PhaseEnd> => {
    run = createPhaseRun(
      {
        ...prepared,
        name,
        spec,
        phase,
        attempt,
        from,
        backend: options.backend,
        softwareVersion: deps.softwareVersion,
      },
      { bus, store, clock, log, dataset, cache, startWorker: governed(createComputeWorker, governor) },
    );
    const { plan, lastLearner } = run;
    const learners = shownLearners(spec, phase);
    const stepsBefore = from?.phase === phase ? from.step : 0;
    const ofPhase = phasesOfRun(spec).length === 1 ? "" : `${phase}: `;
    say(
      `${ofPhase}${learners.text}, ${plan.totalSteps} steps, bus ${bus.description}${stepsBefore === 0 ? "" : `, from step ${stepsBefore}`}`,
    );
    const monitor = createRunMonitor(lastLearner);
    const watching = createControlChannel({ run: name, actor: "view" }, { bus, log }).watch("*", (event) => {
      monitor.observe(event, clock.now());
    });
    const ticking = new AbortController();
    let drawing: Promise<void> = Promise.resolve();
    try {
      if (signalled !== undefined || lost !== undefined) run.requestStop();
      await run.start();
      view = chooseView(options, deps, plan.totalSteps, learners);
      drawing = drawUntil(ticking.signal, clock, () => {
        view.update(monitor.figures());
      });
      const end = await run.ended;
      return { phase, stepsBefore, end, startedMs: clock.wallTimeMs() - 1000 * end.seconds };
    } finally {
      ticking.abort();
      await drawing;
      view.finish(monitor.figures());
      view = silent;
      watching.unsubscribe();
    }
  };

  try {
    const checkpoints = await openCheckpoints(store, scopeOfRun(name));
    let start = startAfter(spec, dataset, newest);
    while (start !== undefined) {
      const ended = await runPhase(start);
      ends.push(ended);
      await keepResults(ends, folder, { ...prepared, run: name, bus: bus.description });
      if (ended.end.outcome !== "completed") break;
      const [saved] = await checkpoints.manifests();
      start = startAfter(spec, dataset, saved);
    }
    const end = ends.at(-1)?.end;
    await reportFolder(folder, end?.outcome === "stopped" ? end.record.step : undefined, options, terminal);
    if (lost !== undefined) throw lost;
    if (end?.outcome === "failed") throw end.error ?? new Error("the run failed");
    return end?.outcome === "stopped" ? (signalled ?? EXIT_OK) : EXIT_OK;
  } catch (error) {
    log.error({ err: error }, "run failed");
    terminal.note(error instanceof Error ? error.message : String(error));
    const [saved] = await (await openCheckpoints(store, scopeOfRun(name))).manifests().catch(() => []);
    terminal.note(
      saved === undefined
        ? "no checkpoint was written"
        : `saved up to step ${saved.step}; resume it: kn resume ${name}`,
    );
    return exitCodeOf(error);
  } finally {
    unwatch();
    forget();
  }
}

/** Reports loss and return of the server: no step is made in between. @returns function that stops the reports */
export function reportOutages(
  bus: Pick<Bus, "description" | "on">,
  log: Logger,
  note: (line: string) => void,
): () => void {
  const endings = [
    bus.on("disconnected", () => {
      log.warn({ server: bus.description }, "server unreachable");
      note(`the server at ${bus.description} is unreachable: no step is made until it is back; trying to reconnect`);
    }),
    bus.on("reconnected", () => {
      log.info({ server: bus.description }, "server back");
      note(`the server at ${bus.description} is back`);
    }),
  ];
  return () => {
    for (const end of endings) end();
  };
}

export function chooseView(
  { json }: ExecuteOptions,
  { terminal, clock }: ExecuteDeps,
  totalSteps: number,
  learners: ShownLearners,
): RunView {
  if (json) return silentView(terminal);
  const options = { totalSteps, learners, write: terminal.write, note: terminal.note };
  return terminal.isInteractive ? liveView(options) : lineView(options, LINE_EVERY_MS, () => clock.now());
}

export async function drawUntil(signal: AbortSignal, clock: Clock, draw: () => void): Promise<void> {
  while (!signal.aborted) {
    draw();
    await clock.sleep(VIEW_EVERY_MS, signal).catch(() => undefined);
  }
}
