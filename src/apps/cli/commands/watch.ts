/** `kn watch RUN`: shows a run on a fleet live: nodes, blocks, boundaries, events. */
import Table from "cli-table3";
import type { Command } from "commander";
import { createControlChannel } from "../../../runtime/actor/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { awaitOutcome, runRecordOf } from "../../../fleet/launch.ts";
import { type NodeRecord, phaseOf, type RunRecordEntry } from "../../../fleet/records.ts";
import { jobKindOf } from "../../../jobs/kinds/index.ts";
import { actorsOf, shownLearners } from "../../../jobs/run-plan.ts";
import { createRunMonitor, type MonitorFigures } from "../../../jobs/run-monitor.ts";
import type { RunStatus } from "../../../fleet/run-status.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK, exitCodeOfErrorCode } from "../exit.ts";
import { continuousStatus } from "../follow-status.ts";
import { drawTable } from "../text-table.ts";
import { isFleetGiven, withFleetBus } from "../bus-options.ts";

/** Interval of the live view, ms. */
const DRAW_EVERY_MS = 500;
/** Number of events shown, the newest. */
const SHOWN_EVENTS = 8;

export function registerWatch(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program.command("watch").argument("<run>", "name of a run").description("show a run on a fleet live"),
    deps,
  )
    .option("--once", "draw one picture after a second of listening, and end", false)
    .action(async (run: string, options: { readonly bus: string; readonly once: boolean }, command: Command) => {
      const shown = { json: false, follow: !options.once };
      const inFolder = isFleetGiven(command) ? undefined : await continuousStatus(run, shown, undefined, deps);
      exit(inFolder ?? (await watch(run, options, deps)));
    });
}

async function watch(
  run: string,
  options: { readonly bus: string; readonly once: boolean },
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal, clock, connectFleet } = deps;
  await using connected = await connectFleet({ address: options.bus, name: "kn watch" }, { log: silentLogger });
  const { bus, fleet } = connected;
  const continuous = await continuousStatus(run, { json: false, follow: !options.once }, fleet.store, deps);
  if (continuous !== undefined) return continuous;
  const record = await runRecordOf(run, fleet);
  const monitor = createRunMonitor(actorsOf(record.spec, record.phase).learners.at(-1) ?? "");
  const watching = createControlChannel({ run, actor: "watch" }, { bus, log: silentLogger }).watch("*", (event) => {
    monitor.observe(event, clock.now());
  });
  const leaving = new AbortController();
  const forget = terminal.onSignal(() => {
    leaving.abort(new Error("left"));
  });
  let status: RunStatus | undefined;
  let nodes: readonly NodeRecord[] = [];
  let current = record;
  const refresh = async (): Promise<void> => {
    nodes = await fleet.nodes.all().catch(() => nodes);
    current = (await fleet.runs.get(run).catch(() => undefined))?.value ?? current;
  };
  const draw = (): void => {
    const picture = pictureOf({ record: current, status, nodes, figures: monitor.figures() });
    // Home, then clear to the end of the screen: no flicker, and the scrollback stays.
    terminal.write(terminal.isInteractive && !options.once ? `\u001b[H\u001b[J${picture}` : picture);
  };
  try {
    await refresh();
    const ended = awaitOutcome(
      record,
      { fleet, clock },
      (next) => {
        status = next;
      },
      leaving.signal,
    );
    let outcome: RunStatus | undefined;
    ended.then(
      (last) => {
        outcome = last;
      },
      () => undefined, // this view ends before the run does
    );
    if (options.once) await clock.sleep(1_000, leaving.signal);
    while (outcome === undefined && !leaving.signal.aborted && !options.once) {
      await refresh();
      draw();
      await clock.sleep(DRAW_EVERY_MS, leaving.signal).catch(() => undefined);
    }
    draw();
    return outcome?.outcome === "failed" ? exitCodeOfErrorCode(outcome.code) : EXIT_OK;
  } finally {
    leaving.abort(new Error("left"));
    forget();
    watching.unsubscribe();
  }
}

interface Picture {
  readonly record: RunRecordEntry;
  readonly status: RunStatus | undefined;
  readonly nodes: readonly NodeRecord[];
  readonly figures: MonitorFigures;
}

/** The whole picture as text. Pure. */
export function pictureOf({ record, status, nodes, figures }: Picture): string {
  const accuracy = status?.record.evaluations.at(-1)?.accuracy;
  const loss = figures.actors.find((actor) => actor.loss !== undefined)?.loss;
  const heading = [
    `${record.run} | ${status?.outcome ?? status?.state ?? record.desired}${status === undefined ? "" : ` (${status.control})`}`,
    `step ${Math.max(figures.step, status?.published ?? 0)}/${phaseOf(record).totalSteps}`,
    `${figures.stepsPerSecond.toFixed(1)} steps/s`,
    `accuracy ${accuracy === undefined ? "-" : `${(100 * accuracy).toFixed(2)} %`}`,
    `loss ${loss?.toFixed(4) ?? "-"}`,
    `checkpoint ${status?.record.generation ?? 0}`,
  ].join(" | ");
  return [
    heading,
    nodeTable(record, nodes),
    learnerTable(record, figures),
    drawTable(jobKindOf(record.spec).view.boundaries(record.spec, record.phase, figures), { isCompact: true }),
    ...eventLines(figures),
  ].join("\n");
}

function nodeTable({ actors }: RunRecordEntry, nodes: readonly NodeRecord[]): string {
  const table = plainTable(["node", "backend", "cores", "GFLOP/s", "hosts"]);
  for (const name of [...new Set(Object.values(actors))].sort()) {
    const node = nodes.find((each) => each.name === name);
    const hosts = Object.entries(actors)
      .filter(([, at]) => at === name)
      .map(([actor]) => actor);
    table.push([
      name,
      node === undefined ? "gone" : node.backend,
      node === undefined ? "-" : String(node.cores),
      node === undefined ? "-" : node.gflops.toFixed(0),
      hosts.join(" "),
    ]);
  }
  return table.toString();
}

function learnerTable({ spec, phase }: RunRecordEntry, { actors }: MonitorFigures): string {
  const learners = shownLearners(spec, phase);
  const table = plainTable([
    learners.view.noun,
    "state",
    "steps/s",
    "compute",
    "applied",
    "skipped",
    "pending",
    "staleness",
    "drops",
  ]);
  for (const id of learners.ids) {
    const figures = actors.find((each) => each.id === id);
    if (figures === undefined) {
      table.push([id, "no heartbeat yet", "-", "-", "-", "-", "-", "-", "-"]);
      continue;
    }
    table.push([
      id,
      figures.state,
      figures.updatesPerSecond.toFixed(1),
      `${figures.computeMs.toFixed(0)} ms`,
      String(figures.applied),
      countsOf(figures.skipped),
      String(figures.pending),
      String(figures.stalenessSteps),
      countsOf(figures.drops),
    ]);
  }
  return table.toString();
}

function eventLines({ events }: MonitorFigures): string[] {
  return events.slice(-SHOWN_EVENTS).map(({ actor, step, text }) => `step ${step} ${actor}: ${text}`);
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  return entries.length === 0 ? "0" : entries.map(([reason, count]) => `${reason} ${count}`).join(" ");
}

function plainTable(head: string[]): InstanceType<typeof Table> {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}
