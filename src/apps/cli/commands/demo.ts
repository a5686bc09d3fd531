/** `kn demo`: the four-layer net on MNIST, nothing to prepare. */
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { ExecuteDeps } from "../execute-run.ts";
import { type RunCommandOptions, runSpecFile, withExecuteOptions } from "./run.ts";

/** The spec that the demo runs; from both src/ and dist/ it is three folders up. */
const SPEC = fileURLToPath(new URL("../../../../examples/mnist-synthetic.yaml", import.meta.url));

export function registerDemo(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(
    program.command("demo").description("train four blocks with synthetic gradients on MNIST, one epoch"),
  )
    .option("--set <path=value...>", "override a value of the spec, e.g. training.epochs=3", [])
    .action(async (options: Omit<RunCommandOptions, "dryRun">) => {
      exit(await runSpecFile(SPEC, { ...options, dryRun: false }, deps));
    });
}
