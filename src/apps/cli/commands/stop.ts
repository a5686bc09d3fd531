/** `kn stop RUN`: a checkpoint, then the end, of a run on a fleet. */
import type { Command } from "commander";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { connectFleet } from "../../connect/connect-fleet.ts";
import { awaitOutcome, stopRun } from "../../../fleet/launch.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { withFleetOptions } from "./fleet-options.ts";

export function registerStop(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  const { terminal, clock } = deps;
  withFleetOptions(
    program.command("stop").argument("<run>", "name of a run").description("checkpoint and end a run of a fleet"),
    deps,
  )
    .option("--json", "print one JSON document", false)
    .action(async (run: string, options: { readonly bus: string; readonly json: boolean }) => {
      await using connected = await connectFleet({ address: options.bus, name: "kn stop" }, { log: silentLogger });
      const { fleet } = connected;
      const record = await stopRun(run, fleet);
      const status =
        record.desired === "ended"
          ? (await fleet.status.get(run))?.value
          : await awaitOutcome(record, { fleet, clock }, () => undefined, new AbortController().signal);
      const outcome = status?.outcome ?? "ended";
      const step = status?.record.step ?? 0;
      terminal.write(
        options.json
          ? JSON.stringify({ run, outcome, step }, undefined, 2)
          : `${run} ${outcome} at step ${step}; go on with: kn resume ${run} --nodes fleet --bus ${options.bus}`,
      );
      exit(EXIT_OK);
    });
}
