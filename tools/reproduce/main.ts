/**
 * `npm run reproduce -- mnist | fault-schedule | kt | kt-quick | drift | drift-cifar | drift-quick`: the experiments whose figures are in docs/results.
 * Each runs its unfinished cells and writes its table and plots; an interruption loses only the current cell.
 */
import { join } from "node:path";
import process from "node:process";
import { Command, CommanderError } from "commander";
import { type DriftCommandOptions, reproduceDrift, reproduceDriftQuick } from "./drift/reproduce-drift.ts";
import { DRIFT_EXPERIMENTS } from "./drift/settings.ts";
import { type MnistCommandOptions, reproduceMnist } from "./mnist/reproduce-mnist.ts";
import { MNIST_SOURCES } from "./mnist/settings.ts";
import { ROOT } from "./run-kn.ts";
import { reproduceQuick, reproduceTransfer, type TransferCommandOptions } from "./transfer/reproduce-transfer.ts";
import { EXPERIMENTS } from "./transfer/settings.ts";
import { reproduceFaultSchedule } from "./fault-schedule/reproduce-fault-schedule.ts";

/** @returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("reproduce").exitOverride();
  let code = 0;
  const results = (name: string): string => join(ROOT, "docs", "results", name);
  const experiment = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("--out <folder>", "where figures, table and plots are kept", results(name));
  const repeated = (command: Command, seeds: string): Command =>
    command
      .option("--seeds <n>", "seeds 1 to n", seeds)
      .option("--table-only", "run nothing; write the table from what is finished", false);

  repeated(experiment("mnist", "the paper's table: each gradient source on MNIST, four processes over NATS"), "3")
    .option("--epochs <n>", "epochs of each run", "12")
    .option("--sources <names>", "gradient sources, by commas", MNIST_SOURCES.join(","))
    .action(async (options: MnistCommandOptions) => {
      code = await reproduceMnist(options);
    });
  experiment(
    "fault-schedule",
    "MNIST in four processes with slow links, a slow node, a killed node and a restarted server",
  )
    .option("--epochs <n>", "epochs", "6")
    .action(async (options: { readonly epochs: string; readonly out: string }) => {
      code = await reproduceFaultSchedule(Number(options.epochs), options.out);
    });
  const transfer = (command: Command): Command =>
    command
      .option("--data <folder>", "folder of the data set's files")
      .option("--work <folder>", "where the runs themselves are kept", join(ROOT, "runs", "reproduce"));
  transfer(repeated(experiment("kt", "knowledge transfer on CIFAR-10: hours, resumable"), "3")).action(
    async (options: TransferCommandOptions) => {
      code = await reproduceTransfer(EXPERIMENTS.kt, options);
    },
  );
  transfer(repeated(experiment("kt-quick", "knowledge transfer on MNIST: minutes, with bounds"), "1")).action(
    async (options: TransferCommandOptions) => {
      code = await reproduceQuick(EXPERIMENTS["kt-quick"], options);
    },
  );
  const drift = (command: Command): Command =>
    transfer(command)
      .option("--schedules <names>", "by commas; all without it")
      .option("--arms <names>", "by commas; all without it");
  drift(repeated(experiment("drift", "a student that follows drifting MNIST: hours, resumable"), "3")).action(
    async (options: DriftCommandOptions) => {
      code = await reproduceDrift(DRIFT_EXPERIMENTS.drift, options);
    },
  );
  drift(
    repeated(experiment("drift-cifar", "a student that follows corruptions of CIFAR-10: days on two cores"), "3"),
  ).action(async (options: DriftCommandOptions) => {
    code = await reproduceDrift(DRIFT_EXPERIMENTS["drift-cifar"], options);
  });
  drift(
    repeated(experiment("drift-quick", "a student that follows turning digits: a minute, with bounds"), "1"),
  ).action(async (options: DriftCommandOptions) => {
    code = await reproduceDriftQuick(DRIFT_EXPERIMENTS["drift-quick"], options);
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
