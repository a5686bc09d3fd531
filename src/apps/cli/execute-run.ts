/** Carries a run from spec to results: what `kn run`, `kn demo` and `kn resume` share. */
import { randomBytes } from "node:crypto";
import type { BackendPreference } from "../../compute/index.ts";
import { createControlChannel } from "../../runtime/actor/index.ts";
import { type Manifest, openCheckpoints } from "../../runtime/checkpoint/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import type { RunSpec } from "../../spec/index.ts";
import { openBus } from "../run/open-bus.ts";
import { prepareRun } from "../run/prepare-run.ts";
import { resultsOf, type RunResults } from "../run/results.ts";
import { type RunFolder, writeJson } from "../run/run-folder.ts";
import { createRunMonitor } from "../run/run-monitor.ts";
import { CHECKPOINT_BUCKETS } from "../run/compose-actors.ts";
import { createTrainingRun } from "../run/training-run.ts";
import { EXIT_OK, EXIT_SIGINT, EXIT_SIGTERM, exitCodeOf } from "./exit-codes.ts";
import { openRunLog } from "./run-log.ts";
import { resultsTable } from "./results-table.ts";
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

/** Runs `folder`'s spec, from `from` on when it is given. @returns the exit code. */
export async function executeRun(
  folder: RunFolder,
  from: Manifest | undefined,
  options: ExecuteOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name } = folder;
  await using runLog = openRunLog(folder.logPath, name);
  const { log } = runLog;
  const { dataset, slices } = await prepareRun({ spec, data: options.data, env });
  await using store = await fileStore({ directory: folder.storePath, clock });
  await using opened = await openBus({ bus: options.bus, name: `kn ${name}`, env, log });
  const { bus } = opened;

  const run = createTrainingRun(
    {
      name,
      spec,
      slices,
      backend: options.backend,
      softwareVersion: deps.softwareVersion,
      ...(from === undefined ? {} : { from }),
    },
    { bus, store, clock, log, dataset },
  );
  const say = (line: string): void => {
    if (!options.json) terminal.write(line);
  };
  say(`run ${name} in ${folder.path}`);
  say(
    `${slices.length} blocks, ${run.plan.totalSteps} steps, bus ${bus.description}${from === undefined ? "" : `, from step ${from.step}`}`,
  );

  const monitor = createRunMonitor(run.lastBlock);
  const watching = createControlChannel({ run: name, actor: "view" }, { bus, log }).watch("*", (event) => {
    monitor.observe(event, clock.now());
  });
  const silent = silentView(terminal);
  let view: RunView = silent;
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
    run.requestStop();
  });

  try {
    await run.start();
    view = chooseView(options, deps, run.plan.totalSteps, slices.length);
    const ticking = new AbortController();
    const drawing = drawUntil(ticking.signal, clock, () => {
      view.update(monitor.figures());
    });
    const end = await run.ended;
    ticking.abort();
    await drawing;
    view.finish(monitor.figures());
    view = silent;
    const results = resultsOf(end, {
      run: name,
      spec,
      slices,
      dataset,
      bus: bus.description,
      stepsBefore: from?.step ?? 0,
      startedMs: clock.wallTimeMs() - 1000 * end.seconds,
    });
    await writeJson(folder.resultsPath, results);
    report(results, folder, options, terminal);
    if (end.outcome === "failed") throw end.error ?? new Error("the run failed");
    return end.outcome === "stopped" ? (signalled ?? EXIT_OK) : EXIT_OK;
  } catch (error) {
    view.finish(monitor.figures());
    log.error({ err: error }, "run failed");
    terminal.note(error instanceof Error ? error.message : String(error));
    const [newest] = await (await openCheckpoints(store, CHECKPOINT_BUCKETS)).manifests().catch(() => []);
    terminal.note(
      newest === undefined
        ? "no checkpoint was written"
        : `saved up to step ${newest.step}; go on with: kn resume ${name}`,
    );
    return exitCodeOf(error);
  } finally {
    forget();
    watching.unsubscribe();
  }
}

export function chooseView(
  { json }: ExecuteOptions,
  { terminal, clock }: ExecuteDeps,
  totalSteps: number,
  blocks: number,
): RunView {
  if (json) return silentView(terminal);
  const options = { totalSteps, blocks, write: terminal.write, note: terminal.note };
  return terminal.isInteractive ? liveView(options) : lineView(options, LINE_EVERY_MS, () => clock.now());
}

export async function drawUntil(signal: AbortSignal, clock: Clock, draw: () => void): Promise<void> {
  while (!signal.aborted) {
    draw();
    await clock.sleep(VIEW_EVERY_MS, signal).catch(() => undefined);
  }
}

export function report(results: RunResults, folder: RunFolder, { json }: ExecuteOptions, terminal: Terminal): void {
  if (json) {
    terminal.write(JSON.stringify({ ...results, folder: folder.path }, undefined, 2));
    return;
  }
  terminal.write(resultsTable(results));
  terminal.write(`results ${folder.resultsPath}`);
  terminal.write(`checkpoint ${folder.storePath}`);
  if (results.outcome === "stopped")
    terminal.write(`stopped at step ${results.steps}; go on with: kn resume ${folder.name}`);
}
