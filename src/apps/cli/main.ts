/**
 * `kn`: the command line. Reads argv and the environment, passes plain options to the commands, maps errors to exit
 * codes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import tab from "@bomb.sh/tab/commander";
import { Command, CommanderError } from "commander";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import { systemClock } from "../../runtime/clock/index.ts";
import { connectFleet } from "../connect/connect-fleet.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerExport } from "./commands/export.ts";
import { registerFollow } from "./commands/follow.ts";
import { registerGc } from "./commands/gc.ts";
import { registerImport } from "./commands/import.ts";
import { registerKeys } from "./commands/keys.ts";
import { registerLive } from "./commands/live.ts";
import { registerModels, registerReleases } from "./commands/models.ts";
import { registerObserve } from "./commands/observe.ts";
import { registerPlan } from "./commands/plan.ts";
import { registerPredict } from "./commands/predict.ts";
import { registerPin, registerPromote, registerRollback } from "./commands/promote.ts";
import { registerPublish } from "./commands/publish.ts";
import { registerEvaluate } from "./commands/evaluate.ts";
import { registerNode } from "./commands/node.ts";
import { registerNodes } from "./commands/nodes.ts";
import { registerReplay } from "./commands/replay.ts";
import { registerReplica } from "./commands/replica.ts";
import { registerResume } from "./commands/resume.ts";
import { registerRm } from "./commands/rm.ts";
import { registerRun } from "./commands/run.ts";
import { registerRuns } from "./commands/runs.ts";
import { registerServe } from "./commands/serve.ts";
import { registerStatus } from "./commands/status.ts";
import { registerStop } from "./commands/stop.ts";
import { registerTeach } from "./commands/teach.ts";
import { registerUnpublish } from "./commands/unpublish.ts";
import { registerWatch } from "./commands/watch.ts";
import type { ExecuteDeps } from "./execute-run.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, exitCodeOf } from "./exit.ts";
import { processTerminal } from "./terminal.ts";

/** `kn` of this process. @returns the exit code */
export function main(argv: readonly string[]): Promise<number> {
  return runCli(argv, {
    terminal: processTerminal(),
    clock: systemClock(),
    env: process.env,
    softwareVersion: readVersion(),
    connectFleet,
  });
}

/** @returns the exit code */
export async function runCli(argv: readonly string[], deps: ExecuteDeps): Promise<number> {
  const { terminal } = deps;
  const code = await runCommand(argv, deps);
  // Lines that stdout did not take are a failure, also of a command that succeeded.
  return (await terminal.flush()) !== undefined && code === EXIT_OK ? EXIT_FAILURE : code;
}

async function runCommand(argv: readonly string[], deps: ExecuteDeps): Promise<number> {
  const { terminal } = deps;
  let code = EXIT_OK;
  const exit = (value: number): void => {
    code = value;
  };
  const program = new Command("kn")
    .description("train one deep network as blocks on many machines, with synthetic gradients")
    .version(deps.softwareVersion)
    .configureOutput({
      writeOut: (text) => {
        terminal.write(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.note(text.trimEnd());
      },
    })
    .showHelpAfterError("(kn --help lists the commands)")
    .exitOverride();
  registerDemo(program, deps, exit);
  registerRun(program, deps, exit);
  registerResume(program, deps, exit);
  registerEvaluate(program, deps, exit);
  registerPlan(program, deps, exit);
  registerImport(program, deps, exit);
  registerExport(program, deps, exit);
  registerPredict(program, deps, exit);
  registerRuns(program, deps, exit);
  registerNode(program, deps, exit);
  registerNodes(program, deps, exit);
  registerStatus(program, deps, exit);
  registerReplay(program, deps, exit);
  registerStop(program, deps, exit);
  registerTeach(program, deps, exit);
  registerWatch(program, deps, exit);
  registerServe(program, deps, exit);
  registerReplica(program, deps, exit);
  registerFollow(program, deps, exit);
  registerObserve(program, deps, exit);
  registerRm(program, deps, exit);
  registerPublish(program, deps, exit);
  registerModels(program, deps, exit);
  registerReleases(program, deps, exit);
  registerPromote(program, deps, exit);
  registerRollback(program, deps, exit);
  registerLive(program, deps, exit);
  registerPin(program, deps, exit);
  registerUnpublish(program, deps, exit);
  registerKeys(program, deps, exit);
  registerGc(program, deps, exit);
  registerDoctor(program, deps, exit);
  // `kn complete bash` (zsh, fish, powershell) prints the script to source.
  tab(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_CONFIG;
    terminal.note(error instanceof Error ? error.message : String(error));
    return exitCodeOf(error);
  }
}

/** The package's own version. */
function readVersion(): string {
  const text = readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
