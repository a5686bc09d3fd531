/** `kn teach RUN --teacher T`: replaces the teacher of a distillation run by a new version. */
import type { Command } from "commander";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder } from "../../../jobs/run-folder.ts";
import { teachFleetRun, teachRunFolder } from "../../../fleet/teach-run.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { withFleetBus } from "../bus-options.ts";

interface TeachCommandOptions {
  readonly teacher: string;
  readonly runs: string;
  readonly here: boolean;
  readonly bus: string;
  readonly json: boolean;
}

export function registerTeach(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program
      .command("teach")
      .argument("<run>", "name of a distillation run")
      .description("replace the teacher of a run by a new version: the same layers with other weights")
      .requiredOption("--teacher <run or file>", "a finished run, or a model.json"),
    deps,
  )
    .option("--here", "the run is in a folder of this machine and does not run now; not a run of a fleet", false)
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option("--json", "print one JSON document", false)
    .action(async (run: string, options: TeachCommandOptions) => {
      const { terminal, clock } = deps;
      const teach = { ...options, onDamaged: terminal.note };
      let release: number;
      if (options.here) {
        ({ release } = await teachRunFolder(await openRunFolder(options.runs, run), teach, clock));
      } else {
        await using connected = await deps.connectFleet(
          { address: options.bus, name: "kn teach" },
          { log: silentLogger },
        );
        ({ release } = await teachFleetRun(run, teach, connected, clock));
      }
      const since = options.here ? `when it is resumed: kn resume ${run}` : "from the next batch on";
      terminal.write(
        options.json
          ? JSON.stringify({ run, teacher: release }, undefined, 2)
          : `${run} uses version ${release} of its teacher ${since}`,
      );
      exit(EXIT_OK);
    });
}
