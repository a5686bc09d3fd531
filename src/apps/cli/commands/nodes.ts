/** `kn nodes`: the nodes of a fleet. */
import Table from "cli-table3";
import type { Command } from "commander";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { describeAddress } from "../../connect/bus-address.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { bytesText } from "../../../jobs/text.ts";
import { withFleetBus } from "../bus-options.ts";

export function registerNodes(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(program.command("nodes").description("list the nodes of a fleet"), deps)
    .option("--json", "print one JSON document", false)
    .action(async (options: { readonly bus: string; readonly json: boolean }) => {
      await using connected = await deps.connectFleet(
        { address: options.bus, name: "kn nodes" },
        { log: silentLogger },
      );
      const [nodes, runs] = await Promise.all([connected.fleet.nodes.all(), connected.fleet.runs.all()]);
      const rows = nodes
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((node) => ({
          ...node,
          actors: runs.flatMap(({ run, actors, desired }) =>
            desired === "ended"
              ? []
              : Object.entries(actors)
                  .filter(([, at]) => at === node.name)
                  .map(([actor]) => `${run}/${actor}`),
          ),
        }));
      if (options.json) deps.terminal.write(JSON.stringify(rows, undefined, 2));
      else if (rows.length === 0)
        deps.terminal.write(
          `no nodes at ${describeAddress(options.bus)}; start one with: kn node --bus ${describeAddress(options.bus)}`,
        );
      else {
        const table = new Table({
          head: ["node", "labels", "backend", "cores", "memory", "GFLOP/s", "actors", "since"],
          style: { head: [], border: [] },
        });
        for (const row of rows) {
          const labels = Object.entries(row.labels).map(([key, value]) => `${key}=${value}`);
          table.push([
            row.name,
            labels.join(" "),
            `${row.backend} ${row.backendVersion}`,
            String(row.cores),
            bytesText(row.memoryBytes),
            row.gflops.toFixed(0),
            row.actors.length === 0 ? "-" : row.actors.map((actor) => actor.split("/")[1]).join(" "),
            row.startedAt.slice(0, 19).replace("T", " "),
          ]);
        }
        deps.terminal.write(table.toString());
      }
      exit(EXIT_OK);
    });
}
