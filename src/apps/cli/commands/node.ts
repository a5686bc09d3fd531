/** `kn node`: joins the fleet and hosts the actors placed on it, until a signal ends it. */
import { join } from "node:path";
import process from "node:process";
import { type Command, Option } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { BACKENDS, LOG_PLACES, type NodeConfig, readNodeConfig } from "../../node/node-config.ts";
import { runNode } from "../../node/run-node.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { openRunLog, type RunLog } from "../run-log.ts";
import type { Terminal } from "../terminal.ts";
import { fleetAddress, nodeBusOption } from "../bus-options.ts";

/** An option that was not given is absent. */
interface NodeCommandOptions extends Omit<NodeConfig, "bus"> {
  readonly config?: string;
  readonly bus?: string;
  readonly models?: string;
  readonly exitWithStdin: boolean;
}

export function registerNode(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("node")
    .description("join a fleet and host the actors placed on this node")
    .addOption(nodeBusOption())
    .option("--config <file>", "node.yaml: the options below and the bus with its credentials; an option here wins")
    .option("--name <name>", "name in the fleet (default: host name and process number)")
    .option("--labels <labels>", "comma-separated key=value pairs for placement: tier=edge,zone=b")
    .addOption(new Option("--backend <name>", "where the mathematics runs (default: auto)").choices(BACKENDS))
    .option("--data <folder>", "folder of the data set's files, for a node that may host the feeder")
    .option("--state <folder>", "where checkpoints and the log are kept, a folder per node in it (default: nodes)")
    .option(
      "--http <host:port>",
      "serve /healthz, /readyz, /startupz and /metrics there; wait for the server without limit",
    )
    .addOption(
      new Option("--log <place>", "a file in the node's folder, or stdout (default: file)").choices(LOG_PLACES),
    )
    .addOption(new Option("--models <folder>", "of the replicas here (default: the store of --bus)").hideHelp())
    .addOption(
      new Option("--exit-with-stdin", "leave when stdin ends: when the parent is gone").default(false).hideHelp(),
    )
    .action(async (options: NodeCommandOptions) => {
      exit(await startNode(options, deps));
    });
}

async function startNode(options: NodeCommandOptions, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock, env, softwareVersion } = deps;
  const file = options.config === undefined ? {} : await readNodeConfig(options.config);
  const given = { ...file, ...options };
  const { state = "nodes", backend = "auto", bus = fleetAddress(deps), log = "file" } = given;
  const busAddress = options.bus ?? (file.bus === undefined ? undefined : options.config) ?? fleetAddress(deps);
  const leaving = new AbortController();
  const leave = (): void => {
    leaving.abort(new Error("asked to leave"));
  };
  const forget = terminal.onSignal(leave);
  if (options.exitWithStdin) process.stdin.once("end", leave).once("error", leave).resume();
  try {
    await runNode(
      { ...given, state, backend, bus, busAddress },
      {
        clock,
        env,
        softwareVersion,
        say: terminal.write,
        openLog: (name) => openNodeLog(log === "stdout" ? undefined : join(state, name, "node.log"), name, terminal),
      },
      leaving.signal,
    );
  } finally {
    forget();
    // An open pipe keeps the process alive, and the parent waits for its end.
    if (options.exitWithStdin) process.stdin.destroy();
  }
  return EXIT_OK;
}

function openNodeLog(path: string | undefined, name: string, { note }: Terminal): RunLog {
  try {
    return openRunLog(path, name, ({ message }) => {
      note(`the log of ${name} cannot be written: ${message}; the node continues without it`);
    });
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `write the log of ${name}`,
      rule: "its folder must be writable and have room",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another folder: --state, or free some space; in Kubernetes check the volume",
      cause: error,
    });
  }
}
