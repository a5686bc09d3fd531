/** `kn resume RUN`: goes on from the newest whole checkpoint. */
import type { Command } from "commander";
import { openCheckpoints, scopeOfRun } from "../../../runtime/artifacts/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { connectFleet } from "../../connect/connect-fleet.ts";
import { runRecordOf } from "../../../fleet/launch.ts";
import { chooseGeneration } from "../../../jobs/choose-generation.ts";
import { createRunFolder, findRunFolder, openRunFolder, type RunFolder } from "../../../jobs/run-folder.ts";
import { openDataset } from "../../open-dataset.ts";
import { startAfter } from "../../../jobs/run-plan.ts";
import { executeFleetRun, type FleetRunOptions } from "../execute-fleet-run.ts";
import { type ExecuteDeps, type ExecuteOptions, executeRun } from "../execute-run.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { withExecuteOptions } from "./run.ts";

export function registerResume(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(
    program
      .command("resume")
      .argument("<run>", "name or path of a run")
      .description("go on with a run from its last checkpoint"),
  ).action(async (name: string, options: FleetRunOptions & { readonly runs: string }) => {
    exit(
      await (options.nodes === "here"
        ? resume(await openRunFolder(options.runs, name), options, deps)
        : executeFleetRun(await openFleetFolder(name, options), true, options, deps)),
    );
  });
}

/** The run's folder; made here by the fleet's record where the run was begun on another machine. */
async function openFleetFolder(name: string, { runs, bus, nodes }: FleetRunOptions & { readonly runs: string }) {
  if (nodes !== "fleet") return await openRunFolder(runs, name); // nodes of our own know no run but those of this machine
  const here = await findRunFolder(runs, name);
  if (here !== undefined) return here;
  await using connected = await connectFleet({ address: bus, name: `kn resume ${name}` }, { log: silentLogger });
  const { spec } = await runRecordOf(name, connected.fleet);
  return await createRunFolder(runs, name, spec);
}

async function resume(folder: RunFolder, options: ExecuteOptions, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock, env } = deps;
  const from = await (async () => {
    await using store = await fileStore({ directory: folder.storePath, clock });
    return await chooseGeneration(await openCheckpoints(store, scopeOfRun(folder.name)), (manifest, error) => {
      terminal.note(
        `checkpoint ${manifest.generation} is damaged (${error instanceof Error ? error.message : String(error)}); trying the one before`,
      );
    });
  })();
  const directory = options.data === undefined ? {} : { directory: options.data };
  const dataset = await openDataset({ data: folder.spec.data, env, ...directory });
  if (from !== undefined && startAfter(folder.spec, dataset, from) === undefined) {
    terminal.note(
      `${folder.name} is complete: ${from.epoch} epochs, ${from.step} steps; measure it with: kn evaluate ${folder.name}`,
    );
    return EXIT_OK;
  }
  if (from === undefined) terminal.note(`${folder.name} has no checkpoint yet: it begins anew`);
  return executeRun(folder, from, options, deps);
}
