/** `kn runs`: the runs in the runs folder. */
import { readFile } from "node:fs/promises";
import Table from "cli-table3";
import type { Command } from "commander";
import { z } from "zod";
import { DEFAULT_RUNS_FOLDER, listRunFolders } from "../../run/run-folder.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit-codes.ts";

const resultsSchema = z.object({
  outcome: z.string(),
  accuracy: z.number().nullable(),
  steps: z.number(),
  seconds: z.number(),
});

export function registerRuns(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("runs")
    .description("list runs")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option("--json", "print one JSON document", false)
    .action(async (options: { readonly runs: string; readonly json: boolean }) => {
      const rows = await Promise.all(
        (await listRunFolders(options.runs)).map(async ({ folder, changedMs }) => {
          const text = await readFile(folder.resultsPath, "utf8").catch(() => undefined);
          const parsed = text === undefined ? undefined : resultsSchema.safeParse(safeJson(text)).data;
          return {
            run: folder.name,
            kind: folder.spec.kind,
            outcome: parsed?.outcome ?? "unfinished",
            accuracy: parsed?.accuracy ?? null,
            steps: parsed?.steps ?? null,
            seconds: parsed?.seconds ?? null,
            changed: new Date(changedMs).toISOString(),
          };
        }),
      );
      if (options.json) {
        terminal.write(JSON.stringify(rows, undefined, 2));
      } else if (rows.length === 0) {
        terminal.write(`no runs in ${options.runs}; begin with: kn demo`);
      } else {
        const table = new Table({
          head: ["run", "kind", "outcome", "accuracy", "steps", "changed"],
          style: { head: [], border: [] },
        });
        for (const row of rows) {
          const accuracy = row.accuracy === null ? "-" : `${(100 * row.accuracy).toFixed(2)} %`;
          table.push([
            row.run,
            row.kind,
            row.outcome,
            accuracy,
            row.steps === null ? "-" : String(row.steps),
            row.changed,
          ]);
        }
        terminal.write(table.toString());
      }
      exit(EXIT_OK);
    });
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
