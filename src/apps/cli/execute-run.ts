/** Carries a run from spec to results: what `kn run`, `kn demo` and `kn resume` share. */
import { randomBytes } from "node:crypto";
import type { BackendPreference } from "../../compute/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import { type Manifest, openCheckpoints, scopeOfRun } from "../../runtime/artifacts/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import type { RunSpec } from "../../run-spec/index.ts";
import { checkBus } from "../../jobs/check-frames.ts";
import { openBus } from "../connect/open-bus.ts";
import { prepareRun } from "./prepare-run.ts";
import { openKnowledgeCache } from "../knowledge-cache.ts";
import { createPhaseRun, type PhaseRun } from "../../jobs/phase-run.ts";
import type { RunFolder } from "../../jobs/run-folder.ts";
import { createRunMonitor } from "../../jobs/run-monitor.ts";
import { type PhaseStart, phasesOfRun, type ShownLearners, shownLearners, startAfter } from "../../jobs/run-plan.ts";
import { keepResults, type PhaseEnd, reportFolder } from "./keep-results.ts";
import { EXIT_OK, EXIT_SIGINT, EXIT_SIGTERM, exitCodeOf } from "./exit-codes.ts";
import { openRunLog } from "./run-log.ts";
import { lineView, liveView, type RunView, silentView } from "./run-view.ts";
import type { Terminal } from "./terminal.ts";

/** Options that every command that runs something takes. */
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
}

/** How often the view is drawn, ms, and how often a plain line is written. */
const VIEW_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;
/** One Ctrl-C under `npm run` arrives twice: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MS = 1_000;

/** `<spec>-<date>-<time>-<4 hex digits>`: sorts by time, and two at once differ. */
export function nameRun(spec: RunSpec, clock: Clock): string {
  const [date = "", time = ""] = new Date(clock.wallTimeMs()).toISOString().split("T");
  const stamp = `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
  return `${spec.name.slice(0, 40)}-${stamp}-${randomBytes(2).toString("hex")}`;
}

/** Runs `folder`'s spec, phase after phase, from `newest` on when it is given. @returns the exit code. */
export async function executeRun(
  folder: RunFolder,
  newest: Manifest | undefined,
  options: ExecuteOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name } = folder;
  await using runLog = openRunLog(folder.logPath, name);
  const { log } = runLog;
  const prepared = await prepareRun({ spec, data: options.data, env });
  const { dataset } = prepared;
  await using store = await fileStore({ directory: folder.storePath, clock });
  await using opened = await openBus({ bus: options.bus, name: `kn ${name}`, env, log });
  await using cache = openKnowledgeCache(spec, { env, clock, log });
  const { bus } = opened;
  checkBus(spec, prepared, bus);
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
      if (clock.now() - signalledMs > SAME_SIGNAL_MS) terminal.exit(signalled); // the second one does not wait
      return;
    }
    signalledMs = clock.now();
    signalled = signal === "SIGINT" ? EXIT_SIGINT : EXIT_SIGTERM;
    view.note(`${signal}: saving a checkpoint, then ending; once more ends at once`);
    run?.requestStop();
  });

  /** @returns how the phase ended; everything of it is closed. */
  const runPhase = async ({ phase, timeline, from }: PhaseStart): Promise<PhaseEnd> => {
    run = createPhaseRun(
      {
        ...prepared,
        name,
        spec,
        phase,
        timeline,
        from,
        backend: options.backend,
        softwareVersion: deps.softwareVersion,
      },
      { bus, store, clock, log, dataset, cache },
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
      if (signalled !== undefined) run.requestStop();
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
    if (end?.outcome === "failed") throw end.error ?? new Error("the run failed");
    return end?.outcome === "stopped" ? (signalled ?? EXIT_OK) : EXIT_OK;
  } catch (error) {
    log.error({ err: error }, "run failed");
    terminal.note(error instanceof Error ? error.message : String(error));
    const [saved] = await (await openCheckpoints(store, scopeOfRun(name))).manifests().catch(() => []);
    terminal.note(
      saved === undefined
        ? "no checkpoint was written"
        : `saved up to step ${saved.step}; go on with: kn resume ${name}`,
    );
    return exitCodeOf(error);
  } finally {
    forget();
  }
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
