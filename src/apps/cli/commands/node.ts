/** `kn node`: joins the fleet and hosts what is given to it, until it is told to leave. */
import { join } from "node:path";
import process from "node:process";
import { type Command, Option } from "commander";
import type { BackendPreference } from "../../../compute/index.ts";
import { fileStore, mirroredStore } from "../../../runtime/store/index.ts";
import { connectFleet } from "../../fleet/connect-fleet.ts";
import { describeNode } from "../../fleet/describe-node.ts";
import { createNode } from "../../fleet/node.ts";
import { openKnowledgeCache } from "../../run/knowledge-cache.ts";
import { openDataset } from "../../run/open-dataset.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK, exitCodeOf } from "../exit-codes.ts";
import { openRunLog } from "../run-log.ts";
import { withFleetOptions } from "./fleet-options.ts";

interface NodeCommandOptions {
  readonly bus: string;
  readonly name?: string;
  readonly labels?: string;
  readonly backend: BackendPreference;
  readonly data?: string;
  readonly state: string;
  readonly exitWithStdin: boolean;
}

export function registerNode(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetOptions(program.command("node").description("join a fleet and host the actors that it is given"), deps)
    .option("--name <name>", "name in the fleet (default: host name and process number)")
    .option("--labels <labels>", "key=value for placement, several by commas: tier=edge,zone=b")
    .addOption(
      new Option("--backend <name>", "where the mathematics runs")
        .choices(["auto", "native", "wasm", "cpu"])
        .default("auto"),
    )
    .option("--data <folder>", "folder of the data set's files, where the feeder may come here")
    .option("--state <folder>", "where checkpoints and the log are kept, a folder per node in it", "nodes")
    .addOption(
      new Option("--exit-with-stdin", "leave when stdin ends: when the parent is gone").default(false).hideHelp(),
    )
    .action(async (options: NodeCommandOptions) => {
      exit(await runNode(options, deps));
    });
}

async function runNode(
  options: NodeCommandOptions,
  { terminal, clock, env, softwareVersion }: ExecuteDeps,
): Promise<number> {
  const record = await describeNode({ ...options, softwareVersion }, clock);
  const folder = join(options.state, record.name);
  await using nodeLog = openRunLog(join(folder, "node.log"), record.name);
  const { log } = nodeLog;
  await using connected = await connectFleet({ address: options.bus, name: `kn node ${record.name}` }, { log });
  const { bus, fleet } = connected;
  await using local = await fileStore({ directory: join(folder, "store"), clock });
  const node = createNode(
    { record, backend: options.backend },
    {
      fleet,
      bus,
      clock,
      log,
      store: mirroredStore({ local, shared: fleet.store, log }),
      openDataset: (spec) =>
        openDataset({ data: spec.data, env, ...(options.data === undefined ? {} : { directory: options.data }) }),
      openCache: (spec) => openKnowledgeCache(spec, { env, clock, log }),
      onChange: terminal.write,
    },
  );
  await node.start();
  terminal.write(
    `node ${record.name} joined ${bus.description}: ${record.backend} ${record.backendVersion}, ${record.cores} cores, ${record.gflops} GFLOP/s`,
  );
  log.info({ node: record }, "joined");
  const leave = (): void => {
    terminal.note(`node ${record.name} leaves`);
    void node.stop();
  };
  const forget = terminal.onSignal(leave);
  if (options.exitWithStdin) process.stdin.once("end", leave).once("error", leave).resume();
  const outcome = await node.ended;
  forget();
  // An open pipe keeps a process alive, and the parent waits for us to end.
  if (options.exitWithStdin) process.stdin.destroy();
  if (outcome instanceof Error) {
    terminal.note(outcome.message);
    return exitCodeOf(outcome);
  }
  return EXIT_OK;
}
