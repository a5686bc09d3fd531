/** `kn resume RUN`: continues a run from its newest complete checkpoint. */
import type { Command } from "commander";
import { type Manifest, openCheckpoints, scopeOfRun } from "../../../runtime/artifacts/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { runRecordOf } from "../../../fleet/launch.ts";
import { chooseGeneration } from "../../../jobs/choose-generation.ts";
import {
  checkTrainedSpec,
  createRunFolder,
  findRunFolder,
  openRunFolder,
  type RunFolder,
} from "../../../jobs/run-folder.ts";
import { startAfter } from "../../../jobs/run-plan.ts";
import { executeFleetRun, type FleetRunOptions } from "../execute-fleet-run.ts";
import { type ExecuteDeps, type ExecuteOptions, executeRun } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { withExecuteOptions } from "../options.ts";
import { type PreparedRun, prepareRun } from "../prepare-run.ts";

type ResumeOptions = FleetRunOptions & { readonly runs: string };

export function registerResume(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(
    program
      .command("resume")
      .argument("<run>", "name or path of a run")
      .description("continue a run from its last checkpoint"),
    deps,
  ).action(async (name: string, options: ResumeOptions) => {
    exit(await resumeRun(name, options, deps));
  });
}

async function resumeRun(name: string, options: ResumeOptions, deps: ExecuteDeps): Promise<number> {
  const isHere = options.nodes === "here";
  await using folder = await (isHere ? openRunFolder(options.runs, name) : openFleetFolder(name, options, deps));
  await checkTrainedSpec(folder);
  const prepared = await prepareRun({ spec: folder.spec, data: options.data, env: deps.env });
  return isHere
    ? await resumeHere(folder, prepared, options, deps)
    : await executeFleetRun(folder, prepared, true, options, deps);
}

/** The run's folder; created from the fleet's record where the run was started on another machine. */
async function openFleetFolder(
  name: string,
  { runs, bus, nodes }: ResumeOptions,
  { connectFleet }: ExecuteDeps,
): Promise<RunFolder> {
  if (nodes !== "fleet") return await openRunFolder(runs, name); // spawned nodes have the runs of this machine only
  const here = await findRunFolder(runs, name);
  if (here !== undefined) return here;
  await using connected = await connectFleet({ address: bus, name: `kn resume ${name}` }, { log: silentLogger });
  const { spec } = await runRecordOf(name, connected.fleet);
  return await createRunFolder(runs, name, spec);
}

async function resumeHere(
  folder: RunFolder,
  prepared: PreparedRun,
  options: ExecuteOptions,
  deps: ExecuteDeps,
): Promise<number> {
  const { terminal } = deps;
  const from = await newestCheckpoint(folder, deps);
  if (from !== undefined && startAfter(folder.spec, prepared.dataset, from) === undefined) {
    terminal.note(
      `${folder.name} is complete: ${from.epoch} epochs, ${from.step} steps; measure it with: kn evaluate ${folder.name}`,
    );
    return EXIT_OK;
  }
  if (from === undefined) terminal.note(`${folder.name} has no checkpoint yet: it starts from the beginning`);
  return await executeRun(folder, prepared, from, options, deps);
}

async function newestCheckpoint(
  { name, storePath }: RunFolder,
  { terminal, clock }: ExecuteDeps,
): Promise<Manifest | undefined> {
  await using store = await fileStore({ directory: storePath, clock });
  return await chooseGeneration(await openCheckpoints(store, scopeOfRun(name)), (manifest, error) => {
    terminal.note(
      `checkpoint ${manifest.generation} is damaged (${error instanceof Error ? error.message : String(error)}); trying the previous one`,
    );
  });
}
