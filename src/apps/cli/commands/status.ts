/** `kn status RUN`: the state of a run on a fleet, and its batch accounting. */
import Table from "cli-table3";
import type { Command } from "commander";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import type { Fleet } from "../../../fleet/fleet.ts";
import { awaitOutcome, runRecordOf } from "../../../fleet/launch.ts";
import type { RunRecordEntry } from "../../../fleet/records.ts";
import type { RunStatus } from "../../../fleet/run-status.ts";
import { actorsOf } from "../../../jobs/run-plan.ts";
import { phaseOf } from "../../../fleet/records.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK, exitCodeOfErrorCode } from "../exit.ts";
import { continuousStatus } from "../follow-status.ts";
import { isFleetGiven, withFleetBus } from "../bus-options.ts";

interface StatusOptions {
  readonly bus: string;
  readonly json: boolean;
  readonly follow: boolean;
}

export function registerStatus(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program
      .command("status")
      .argument("<run>", "name of a run")
      .description("show the state of a run of a fleet, or of a continuous run"),
    deps,
  )
    .option("--follow", "follow it until the run ends", false)
    .option("--json", "print JSON; with --follow one line per change", false)
    .action(async (run: string, options: StatusOptions, command: Command) => {
      const inFolder = isFleetGiven(command) ? undefined : await continuousStatus(run, options, undefined, deps);
      if (inFolder !== undefined) {
        exit(inFolder);
        return;
      }
      await using connected = await deps.connectFleet(
        { address: options.bus, name: "kn status" },
        { log: silentLogger },
      );
      const { fleet } = connected;
      exit((await continuousStatus(run, options, fleet.store, deps)) ?? (await showStatus(run, options, fleet, deps)));
    });
}

/** @returns the exit code of the error that a failed run ended with. */
async function showStatus(run: string, options: StatusOptions, fleet: Fleet, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock } = deps;
  const record = await runRecordOf(run, fleet);
  if (!options.follow) {
    const status = (await fleet.status.get(run))?.value;
    const summary = summarise(record, status);
    terminal.write(options.json ? JSON.stringify(summary, undefined, 2) : describe(summary));
    return summary.outcome === "failed" ? exitCodeOfErrorCode(status?.code) : EXIT_OK;
  }
  const leaving = new AbortController();
  const forget = terminal.onSignal(() => {
    leaving.abort(new Error("left"));
  });
  let shown = "";
  try {
    const last = await awaitOutcome(
      record,
      { fleet, clock },
      (status) => {
        const summary = summarise(record, status);
        const line = options.json ? JSON.stringify(summary) : lineOf(summary);
        if (line !== shown) terminal.write(line);
        shown = line;
      },
      leaving.signal,
    );
    if (!options.json) terminal.write(describe(summarise(record, last)));
    return last.outcome === "failed" ? exitCodeOfErrorCode(last.code) : EXIT_OK;
  } catch (error) {
    if (leaving.signal.aborted) return EXIT_OK;
    throw error;
  } finally {
    forget();
  }
}

/** One block's batch accounting: `applied + skipped + pending` equals the batches published to it. */
export interface BlockAccount {
  readonly actor: string;
  readonly node: string;
  readonly published: number;
  readonly applied: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly pending: number;
  readonly isBalanced: boolean;
}

export interface StatusSummary {
  readonly run: string;
  readonly desired: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly error: string | null;
  /** Failure that blocks a run that has not ended. */
  readonly problem: string | null;
  readonly step: number;
  readonly totalSteps: number;
  readonly epochs: number;
  readonly checkpoint: number;
  readonly accuracy: number | null;
  readonly loss: number | null;
  readonly seconds: number;
  readonly blocks: readonly BlockAccount[];
  readonly gradientModels: readonly { readonly actor: string; readonly node: string; readonly cosine: number | null }[];
  readonly switches: RunStatus["record"]["switches"];
}

export function summarise(record: RunRecordEntry, status: RunStatus | undefined): StatusSummary {
  const progress = status?.record.progress ?? {};
  const { learners, gradientModels } = actorsOf(record.spec, record.phase);
  const evaluation = status?.record.evaluations.at(-1);
  const last = progress[learners.at(-1) ?? ""];
  return {
    run: record.run,
    desired: record.desired,
    state: status?.state ?? "waiting for a coordinator",
    outcome: status?.outcome ?? null,
    error: status?.error ?? null,
    problem: status?.problem ?? null,
    step: status?.published ?? 0,
    totalSteps: phaseOf(record).totalSteps,
    epochs: status?.record.epochs ?? 0,
    checkpoint: status?.record.generation ?? 0,
    accuracy: evaluation?.accuracy ?? null,
    loss: last?.loss ?? null,
    seconds: status?.seconds ?? 0,
    blocks: learners.map((actor) => {
      const { applied = 0, skipped = {}, pending = 0, step = 0 } = progress[actor] ?? {};
      const total = applied + pending + Object.values(skipped).reduce((sum, count) => sum + count, 0);
      const node = record.actors[actor] ?? "-";
      return { actor, node, published: step, applied, skipped, pending, isBalanced: total === step };
    }),
    gradientModels: gradientModels.map((actor) => ({
      actor,
      node: record.actors[actor] ?? "-",
      cosine: progress[actor]?.quality?.cosine ?? null,
    })),
    switches: status?.record.switches ?? [],
  };
}

function lineOf(summary: StatusSummary): string {
  const accuracy = summary.accuracy === null ? "-" : `${(100 * summary.accuracy).toFixed(2)} %`;
  const problem = summary.problem === null ? "" : ` | waiting: ${summary.problem}`;
  return `${summary.state} | step ${summary.step}/${summary.totalSteps} | accuracy ${accuracy} | loss ${summary.loss?.toFixed(4) ?? "-"} | checkpoint ${summary.checkpoint}${problem}`;
}

function describe(summary: StatusSummary): string {
  const table = new Table({
    head: ["block", "node", "published", "applied", "skipped", "pending", "balance"],
    style: { head: [], border: [] },
  });
  for (const block of summary.blocks) {
    const skipped = Object.entries(block.skipped).map(([cause, count]) => `${cause} ${count}`);
    table.push([
      block.actor,
      block.node,
      String(block.published),
      String(block.applied),
      skipped.length === 0 ? "0" : skipped.join(", "),
      String(block.pending),
      block.isBalanced ? "applied + skipped + pending = published" : "OPEN",
    ]);
  }
  const models = summary.gradientModels.map(
    ({ actor, node, cosine }) => `${actor} on ${node}, cosine ${cosine === null ? "-" : cosine.toFixed(2)}`,
  );
  const switches = summary.switches.map(
    ({ actor, step, from, to, reason }) => `step ${step}: ${actor} ${from} -> ${to}: ${reason}`,
  );
  return [
    `${summary.run}: ${summary.outcome ?? summary.state}${summary.error === null ? "" : `: ${summary.error}`}`,
    lineOf(summary),
    table.toString(),
    ...models,
    ...switches,
  ].join("\n");
}
