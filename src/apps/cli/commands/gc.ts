/**
 * `kn gc`: removes what no run and no release of a model refers to any more, from a fleet's store or from the stores of
 * local folders.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { isKnowledgeNetError } from "../../../errors/index.ts";
import { applyArtifactCollection, planArtifactCollection } from "../../../runtime/artifacts/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { type Collection, GRACE_MS, planCollection, planNodeCollection } from "../../../fleet/collection.ts";
import type { Fleet } from "../../../fleet/fleet.ts";
import { planFollowCollection } from "../../../jobs/kinds/continuous/collect-follows.ts";
import { DEFAULT_RUNS_FOLDER, listRunFolders } from "../../../jobs/run-folder.ts";
import { listFollowFolders } from "../../follow/follow-folder.ts";
import { DEFAULT_MODELS_FOLDER, folderModels } from "../../models/index.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import { describeCollection } from "../describe-collection.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { hasModels } from "../model-options.ts";

interface GcOptions {
  readonly runs: string;
  readonly models: string;
  readonly bus?: string | true;
  readonly state?: string;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function registerGc(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("gc")
    .description(
      "remove what no run and no release refers to: leases, status, history, checkpoints of removed runs, cut-off saves, " +
        "labels of a former oracle, updates of removed models",
    )
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option("--models <folder>", "where models are kept", DEFAULT_MODELS_FOLDER)
    .addOption(optionalFleetBus("collect in the store of a fleet instead"))
    .option(
      "--state <folder>",
      "with --bus: also copies of removed runs in the folders of this machine's stopped nodes",
    )
    .option("--dry-run", "list what would be removed, and remove nothing", false)
    .option("--json", "print one JSON document", false)
    .action(async (options: GcOptions) => {
      const { state } = options;
      const address = optionalFleetAddress(options.bus, deps);
      const items: Collection["items"][number][] = [];
      if (address === undefined)
        items.push(
          ...(await collectFolders(options, deps)),
          ...(await collectFollowFolders(options, deps)),
          ...(await collectModels(options, deps)),
        );
      else {
        await using connected = await deps.connectFleet({ address, name: "kn gc" }, { log: silentLogger });
        const plan = await planCollection(connected.fleet, deps.clock);
        if (!options.dryRun) await plan.apply();
        items.push(...plan.items);
        if (state !== undefined) items.push(...(await collectNodes(state, connected.fleet, options, deps)));
      }
      deps.terminal.write(describeCollection(items, { ...options, what: "that no run refers to" }));
      exit(EXIT_OK);
    });
}

/** Blobs that no manifest names, in each run's folder that no process uses. */
async function collectFolders({ runs, dryRun }: GcOptions, deps: ExecuteDeps): Promise<Collection["items"]> {
  const found: Collection["items"][number][] = [];
  for (const { folder } of await listRunFolders(runs)) {
    if (!("storePath" in folder)) continue; // of another version
    await withIdleStore(folder.storePath, deps, async (store) => {
      // No other process has the store open: what is not done is cut off.
      const plan = await planArtifactCollection(store, Infinity);
      if (!dryRun) await applyArtifactCollection(store, plan);
      for (const { name, sizeBytes } of plan.blobs)
        found.push({ kind: "blob", name: `${folder.name}/${name}`, sizeBytes });
    });
  }
  return found;
}

/** What continuous runs need no more, in the folder of each that no process uses. */
async function collectFollowFolders({ runs, dryRun }: GcOptions, deps: ExecuteDeps): Promise<Collection["items"]> {
  const found: Collection["items"][number][] = [];
  const nowMs = deps.clock.wallTimeMs();
  for (const { folder } of await listFollowFolders(runs)) {
    if (!("storePath" in folder)) continue; // of another version
    await withIdleStore(folder.storePath, deps, async (store) => {
      const plan = await planFollowCollection(store, { nowMs, beforeMs: nowMs - GRACE_MS, isIdle: true });
      if (!dryRun) await plan.apply();
      found.push(...plan.items.map((item) => ({ ...item, name: `${folder.name}/${item.name}` })));
    });
  }
  return found;
}

/** Blobs of the folder of the models that no release names, and publications that were cut off. */
async function collectModels({ models, dryRun }: GcOptions, deps: ExecuteDeps): Promise<Collection["items"]> {
  const found: Collection["items"][number][] = [];
  if (!(await hasModels({ models }))) return found;
  try {
    await using place = folderModels({ directory: models }, deps);
    await place.use(async (store) => {
      const plan = await planArtifactCollection(store, Infinity);
      if (!dryRun) await applyArtifactCollection(store, plan);
      found.push(
        ...plan.records.map((name): Collection["items"][number] => ({ kind: "artifact record", name })),
        ...plan.blobs.map(({ name, sizeBytes }): Collection["items"][number] => ({ kind: "blob", name, sizeBytes })),
      );
    });
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    deps.terminal.note(`skipped: ${error.message}`);
  }
  return found;
}

/** Copies of removed runs in the folders of nodes that do not run. */
async function collectNodes(
  state: string,
  fleet: Fleet,
  { dryRun }: GcOptions,
  deps: ExecuteDeps,
): Promise<Collection["items"]> {
  const found: Collection["items"][number][] = [];
  for (const node of await readdir(state).catch(() => [])) {
    await withIdleStore(join(state, node, "store"), deps, async (store) => {
      const plan = await planNodeCollection(store, fleet);
      if (!dryRun) await plan.apply();
      found.push(...plan.items.map((item) => ({ ...item, name: `${node}/${item.name}` })));
    });
  }
  return found;
}

/** A store that another process has open is passed over with a note. */
async function withIdleStore(
  directory: string,
  { clock, terminal }: ExecuteDeps,
  work: (store: Awaited<ReturnType<typeof fileStore>>) => Promise<void>,
): Promise<void> {
  try {
    await using store = await fileStore({ directory, clock });
    await work(store);
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    terminal.note(`skipped: ${error.message}`);
  }
}
