/** `kn runs`: the runs in the runs folder. */
import { readFile, stat } from "node:fs/promises";
import Table from "cli-table3";
import type { Command } from "commander";
import { z } from "zod";
import { storedLearners } from "../../../actors/learner/index.ts";
import { isStoreInUse, readFileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { describeAddress } from "../../connect/bus-address.ts";
import { learnersOnBus } from "../../connect/learners-on-bus.ts";
import { listFollowFolders } from "../../follow/follow-folder.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import { DEFAULT_RUNS_FOLDER, listRunFolders, type UnreadableRun } from "../../../jobs/run-folder.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

const resultsSchema = z.object({
  outcome: z.string(),
  accuracy: z.number().nullable(),
  steps: z.number(),
  seconds: z.number(),
});

export function registerRuns(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  const { terminal } = deps;
  program
    .command("runs")
    .description("list runs")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .addOption(optionalFleetBus("list the runs of a fleet instead"))
    .option("--json", "print one JSON document", false)
    .action(async (options: { readonly runs: string; readonly bus?: string | true; readonly json: boolean }) => {
      const address = optionalFleetAddress(options.bus, deps);
      const rows = address === undefined ? await rowsOfFolder(options.runs, deps) : await runsOfFleet(address, deps);
      if (options.json) {
        terminal.write(JSON.stringify(rows, undefined, 2));
      } else if (rows.length === 0) {
        const place = address === undefined ? options.runs : describeAddress(address);
        terminal.write(`no runs in ${place}; start one with: kn demo`);
      } else {
        terminal.write(tableOf(rows));
      }
      exit(EXIT_OK);
    });
}

interface RunRow {
  readonly run: string;
  readonly kind: string;
  readonly outcome: string;
  readonly accuracy: number | null;
  readonly steps: number | null;
  readonly seconds: number | null;
  readonly changed: string;
  /** Reason why it cannot be read; absent for a readable run. */
  readonly reason?: string;
}

async function runsOfFleet(address: string, { connectFleet, clock }: ExecuteDeps): Promise<RunRow[]> {
  await using connected = await connectFleet({ address, name: "kn runs" }, { log: silentLogger });
  const { fleet } = connected;
  const [records, all, learners] = await Promise.all([
    fleet.runs.all(),
    fleet.status.all(),
    storedLearners(fleet.store),
  ]);
  const rows = records.map(({ run, spec, createdAt }): RunRow => {
    const status = all.find((each) => each.run === run);
    return {
      run,
      kind: spec.kind,
      outcome: status?.outcome ?? status?.state ?? "waiting",
      accuracy: status?.record.evaluations.at(-1)?.accuracy ?? null,
      steps: status?.published ?? null,
      seconds: status?.seconds ?? null,
      changed: status?.updatedAt ?? createdAt,
    };
  });
  const others = learners.filter(({ run }) => !records.some((each) => each.run === run));
  const running = others.length === 0 ? new Set<string>() : await learnersOnBus({ bus: connected.bus, clock });
  return [
    ...rows,
    ...others.map(({ run, changedMs }) => followRow(run, running.has(run) ? "running" : "stopped", changedMs)),
  ];
}

/** Oldest first. */
async function rowsOfFolder(runs: string, deps: ExecuteDeps): Promise<RunRow[]> {
  const rows = [...(await runsInFolder(runs)), ...(await followsInFolder(runs, deps))];
  return rows.sort((one, other) => one.changed.localeCompare(other.changed));
}

async function followsInFolder(runs: string, { clock }: ExecuteDeps): Promise<RunRow[]> {
  return Promise.all(
    (await listFollowFolders(runs)).map(async ({ folder, startedMs }) => {
      if ("reason" in folder) return unreadable(folder, new Date(startedMs).toISOString());
      const directory = folder.storePath;
      if ((await stat(directory).catch(() => undefined)) === undefined)
        return followRow(folder.name, "on a fleet", startedMs);
      await using store = await readFileStore({ directory, clock });
      const saved = (await storedLearners(store)).find(({ run }) => run === folder.name);
      const outcome = (await isStoreInUse({ directory })) ? "running" : "stopped";
      return followRow(folder.name, outcome, Math.max(startedMs, saved?.changedMs ?? 0));
    }),
  );
}

/** A continuous run counts windows, not steps, and has no test set: `kn status RUN` shows what it does. */
function followRow(run: string, outcome: "running" | "stopped" | "on a fleet", changedMs: number): RunRow {
  const none = { accuracy: null, steps: null, seconds: null };
  return { run, kind: "continuous", outcome, ...none, changed: new Date(changedMs).toISOString() };
}

async function runsInFolder(runs: string): Promise<RunRow[]> {
  return Promise.all(
    (await listRunFolders(runs)).map(async ({ folder, changedMs }) => {
      const changed = new Date(changedMs).toISOString();
      if ("reason" in folder) return unreadable(folder, changed);
      const text = await readFile(folder.resultsPath, "utf8").catch(() => undefined);
      const parsed = text === undefined ? undefined : resultsSchema.safeParse(safeJson(text)).data;
      return {
        run: folder.name,
        kind: folder.spec.kind,
        outcome: parsed?.outcome ?? "unfinished",
        accuracy: parsed?.accuracy ?? null,
        steps: parsed?.steps ?? null,
        seconds: parsed?.seconds ?? null,
        changed,
      };
    }),
  );
}

/** A run of another version, or one whose spec is damaged: listed, so that it is not taken for absent. */
function unreadable({ name, reason }: UnreadableRun, changed: string): RunRow {
  const unknown = { kind: "-", accuracy: null, steps: null, seconds: null };
  return { run: name, outcome: "cannot be read", changed, reason, ...unknown };
}

function tableOf(rows: readonly RunRow[]): string {
  const table = new Table({
    head: ["run", "kind", "outcome", "accuracy", "steps", "changed"],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    const accuracy = row.accuracy === null ? "-" : `${(100 * row.accuracy).toFixed(2)} %`;
    table.push([row.run, row.kind, row.outcome, accuracy, row.steps === null ? "-" : String(row.steps), row.changed]);
  }
  const reasons = rows.flatMap(({ run, reason }) => (reason === undefined ? [] : [`${run}: ${reason}`]));
  return [table.toString(), ...reasons].join("\n");
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
