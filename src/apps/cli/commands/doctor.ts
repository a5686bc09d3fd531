/** `kn doctor`: what this machine has, what is missing, and the command that installs it. `kn setup` runs setup. */
import Table from "cli-table3";
import type { Command } from "commander";
import { formatReport, inspect, provision } from "../../../../setup/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { inspectKernels } from "../kernel-findings.ts";

export function registerDoctor(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("doctor")
    .description("show what this machine has, and how to install what is missing")
    .option("--json", "print one JSON document", false)
    .action(async ({ json }: { readonly json: boolean }) => {
      const findings = [...(await inspect()), ...(await inspectKernels())];
      if (json) {
        terminal.write(JSON.stringify(findings, undefined, 2));
      } else {
        const table = new Table({
          head: ["", "what", "version", "detail", "fix"],
          style: { head: [], border: [] },
          wordWrap: true,
          colWidths: [10, 24, 12, 44, 40],
        });
        for (const { state, title, version, detail, remedy } of findings) {
          table.push([state, title, version ?? "", detail, remedy ?? ""]);
        }
        terminal.write(table.toString());
      }
      exit(EXIT_OK);
    });
  program
    .command("setup")
    .description("fetch and build what npm does not bring: libtensorflow, nats-server, the nats CLI, toxiproxy")
    .action(async () => {
      terminal.write(formatReport(await provision()));
      exit(EXIT_OK);
    });
}
