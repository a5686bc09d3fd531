/** `kn demo`: trains the four-layer net on MNIST without any preparation; with `--follow`, a student that follows. */
import { join } from "node:path";
import type { Command } from "commander";
import { PACKAGE_ROOT } from "../../../../setup/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { setOption, withExecuteOptions } from "../options.ts";
import { followDemo } from "../follow-demo.ts";
import { type RunCommandOptions, runSpecFile } from "./run.ts";

/** The spec that the demo runs. */
const SPEC = join(PACKAGE_ROOT, "examples", "mnist-synthetic.yaml");

export function registerDemo(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(
    program.command("demo").description("train four blocks with synthetic gradients on MNIST, one epoch"),
    deps,
  )
    .addOption(setOption("override a value of the spec, e.g. training.epochs=3"))
    .option("--follow", "a served student follows digits that begin to turn: some minutes, a table and a chart", false)
    .action(async (options: Omit<RunCommandOptions, "dryRun"> & { readonly follow: boolean }) => {
      const run = { ...options, dryRun: false };
      exit(options.follow ? await followDemo(run, deps) : await runSpecFile(SPEC, run, deps));
    });
}
