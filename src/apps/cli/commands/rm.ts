/** `kn rm RUN`: removes a run and all its stored data. */
import { rm } from "node:fs/promises";
import type { Command } from "commander";
import { storedLearners } from "../../../actors/learner/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { type Collection, planRemoval } from "../../../fleet/collection.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder } from "../../../jobs/run-folder.ts";
import { learnersOnBus } from "../../connect/learners-on-bus.ts";
import { findFollowFolder } from "../../follow/follow-folder.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import { describeCollection } from "../describe-collection.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

interface RmOptions {
  readonly runs: string;
  readonly bus?: string | true;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function registerRm(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("rm")
    .argument("<run>", "name of a run that has ended")
    .description("remove a run: its record, checkpoints, history and results")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .addOption(optionalFleetBus("remove a run of a fleet instead"))
    .option("--dry-run", "list what would be removed, and remove nothing", false)
    .option("--json", "print one JSON document", false)
    .action(async (run: string, options: RmOptions) => {
      const address = optionalFleetAddress(options.bus, deps);
      const removed =
        address === undefined
          ? await removeFolder(run, options, deps)
          : await removeFromFleet(run, address, options, deps);
      deps.terminal.write(describeCollection(removed, { ...options, what: `of ${run}` }));
      exit(EXIT_OK);
    });
}

async function removeFromFleet(
  run: string,
  address: string,
  { dryRun }: RmOptions,
  deps: ExecuteDeps,
): Promise<Collection["items"]> {
  await using connected = await deps.connectFleet({ address, name: "kn rm" }, { log: silentLogger });
  const isContinuous = (await storedLearners(connected.fleet.store)).some((each) => each.run === run);
  if (isContinuous && (await learnersOnBus({ bus: connected.bus, clock: deps.clock })).has(run)) throw following(run);
  const plan = await planRemoval(run, connected.fleet);
  if (!dryRun) await plan.apply();
  return plan.items;
}

async function removeFolder(
  run: string,
  { runs, dryRun }: RmOptions,
  { clock }: ExecuteDeps,
): Promise<Collection["items"]> {
  const folder = (await findFollowFolder(runs, run)) ?? (await openRunFolder(runs, run));
  // Opening its store is refused while a process works on the run.
  const store = await fileStore({ directory: folder.storePath, clock });
  await store.close();
  if (!dryRun) await rm(folder.path, { recursive: true });
  return [{ kind: "folder", name: folder.path }];
}

function following(run: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `remove ${run}`,
    rule: "it must have ended",
    value: "its learner is on the bus",
    remedy: "end the process of its `kn run`",
  });
}
