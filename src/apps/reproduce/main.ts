/**
 * `npm run reproduce -- mnist [--seeds 3] [--epochs 12] [--sources locked,synthetic]`: runs the cells that are not finished,
 * one after another, and writes the table and the plots from all that are. Ending it loses the cell at hand and no other.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { TOOLS, WHEELS } from "../provision/pins.ts";
import { type Cell, type CellKey, cellSchema, cellName, readCell, readCells, writeCell } from "./cell.ts";
import {
  MNIST_INTRODUCTION,
  MNIST_SPEC,
  MNIST_SOURCES,
  mnistArguments,
  mnistCells,
  type MnistVariant,
  PAPER,
} from "./mnist.ts";
import { writeJson } from "../run/run-folder.ts";
import { plotAccuracy } from "./plot.ts";
import { markdownTable } from "./table.ts";
import { runTrouble, troubleOf } from "./trouble.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const KN = join(ROOT, "bin", "kn.js");

interface ReproduceOptions {
  readonly seeds: string;
  readonly epochs: string;
  readonly sources: string;
  readonly out: string;
  readonly tableOnly: boolean;
}

/** @returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("reproduce").exitOverride();
  let code = 0;
  program
    .command("mnist")
    .description("the paper's table: each gradient source on MNIST, four processes over NATS")
    .option("--seeds <n>", "seeds 1 to n", "3")
    .option("--epochs <n>", "epochs of each run", "12")
    .option("--sources <names>", "gradient sources, by commas", MNIST_SOURCES.join(","))
    .option("--out <folder>", "where cells, table and plots are kept", join(ROOT, "docs", "results", "mnist"))
    .option("--table-only", "run nothing; write the table from what is finished", false)
    .action(async (options: ReproduceOptions) => {
      code = await reproduceMnist(options);
    });
  program
    .command("trouble")
    .description("MNIST in four processes with slow links, a slow node, a killed node and a restarted server")
    .option("--epochs <n>", "epochs", "6")
    .option("--out <folder>", "where the result is kept", join(ROOT, "docs", "results", "trouble"))
    .action(async (options: { readonly epochs: string; readonly out: string }) => {
      code = await reproduceTrouble(Number(options.epochs), options.out);
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

async function reproduceMnist(options: ReproduceOptions): Promise<number> {
  const [seeds, epochs] = [Number(options.seeds), Number(options.epochs)];
  const sources = options.sources.split(",");
  const unknown = sources.filter((source) => !MNIST_SOURCES.includes(source));
  if (unknown.length > 0 || !(seeds >= 1) || !(epochs >= 1)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "reproduce the table",
      rule: `--sources must be of ${MNIST_SOURCES.join(", ")}, --seeds and --epochs at least 1`,
      value: `${options.sources}, ${options.seeds}, ${options.epochs}`,
    });
  }
  const folder = join(options.out, "cells");
  const wanted = mnistCells({ seeds, epochs, sources });
  let failed = 0;
  for (const key of options.tableOnly ? [] : wanted) {
    if ((await readCell(folder, key)) !== undefined) continue;
    say(`${cellName(key)}: running`);
    try {
      const cell = await runCell(key);
      await writeCell(folder, cell);
      say(`${cellName(key)}: ${(100 * cell.accuracy).toFixed(2)} % in ${cell.seconds.toFixed(0)} s`);
    } catch (error) {
      failed += 1;
      say(`${cellName(key)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const document = await writeMnistResults(options.out, wanted, await readCells(folder));
  say(`table and plots: ${document}`);
  return failed === 0 ? 0 : 1;
}

/** @returns the path of the table. */
async function writeMnistResults(out: string, wanted: readonly CellKey[], cells: readonly Cell[]): Promise<string> {
  await mkdir(out, { recursive: true });
  const plots: { path: string; caption: string }[] = [];
  const plain = cells.filter(({ variant }) => variant === "plain");
  if (plain.length > 0) {
    for (const against of ["steps", "minutes"] as const) {
      const title = `MNIST, four blocks in four processes: accuracy against ${against}`;
      const path = `accuracy-${against}.svg`;
      await writeFile(join(out, path), await plotAccuracy({ title, cells: plain, against, references: PAPER }));
      plots.push({
        path,
        caption: `${title}: f32 codecs, mean over the seeds that are done, each epoch's end; below 97 % left out.`,
      });
    }
  }
  const document = join(out, "README.md");
  await writeFile(
    document,
    markdownTable({
      title: "MNIST: each gradient source, four blocks in four processes over NATS",
      introduction: MNIST_INTRODUCTION,
      wanted,
      cells,
      baseline: "locked",
      references: PAPER.map(({ name, accuracy }) => ({ name, accuracy, note: "500,000 steps" })),
      plots,
    }),
  );
  return document;
}

/** @returns 1 when something that must hold did not. */
async function reproduceTrouble(epochs: number, out: string): Promise<number> {
  const work = await mkdtemp(join(tmpdir(), "knowledgenet-trouble-"));
  try {
    const options = troubleOf(epochs);
    const result = await runTrouble({ spec: join(ROOT, MNIST_SPEC), folder: work, onEvent: say, ...options });
    await mkdir(out, { recursive: true });
    await writeJson(join(out, "result.json"), {
      command: `npm run reproduce -- trouble --epochs ${epochs}`,
      options,
      result,
      machine: machineHere(),
      versions: await versions(),
      finishedAt: new Date().toISOString(),
    });
    say(`${(100 * result.accuracy).toFixed(2)} %, ${result.violations.length} violations in ${result.checked} events`);
    say(`written to ${join(out, "result.json")}`);
    return result.outcome === "completed" && result.violations.length === 0 ? 0 : 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What `kn run --json` prints, as far as a cell needs it. */
const outputSchema = z.object({
  outcome: z.literal("completed"),
  accuracy: z.number(),
  seconds: z.number(),
  steps: z.int(),
  stepsPerSecond: z.number(),
  evaluations: cellSchema.shape.evaluations,
  blocks: z.array(
    z.object({ id: z.string(), published: z.int(), applied: z.int(), skipped: z.record(z.string(), z.int()) }),
  ),
  boundaries: z.array(
    z.object({
      activationBytesPerStep: z.number(),
      gradientBytesPerStep: z.number(),
      syntheticBytesPerStep: z.number(),
    }),
  ),
});

/** Rejects when the run fails, or its account does not close. */
async function runCell(key: CellKey & { readonly variant: MnistVariant }): Promise<Cell> {
  const args = mnistArguments(key);
  const work = await mkdtemp(join(tmpdir(), "knowledgenet-cell-"));
  try {
    const output = outputSchema.parse(JSON.parse(await runKn([...args, "--json", "--runs", work])));
    const accounting = output.blocks.map(({ id, published, applied, skipped }) => ({
      actor: id,
      published,
      applied,
      skipped,
    }));
    for (const { actor, published, applied, skipped } of accounting) {
      const accounted = applied + Object.values(skipped).reduce((sum, each) => sum + each, 0);
      if (accounted === published) continue;
      throw new KnowledgeNetError("KN_INVARIANT", {
        attempt: `close the account of ${actor}`,
        rule: "applied + skipped must be what was published",
        value: `${accounted} of ${published}`,
      });
    }
    const bytes = output.boundaries.map(
      (each) => each.activationBytesPerStep + each.gradientBytesPerStep + each.syntheticBytesPerStep,
    );
    const { accuracy, seconds, steps, stepsPerSecond, evaluations } = output;
    return {
      format: 1,
      ...key,
      command: `npx kn ${args.join(" ")}`,
      accuracy,
      seconds,
      steps,
      stepsPerSecond,
      evaluations,
      accounting,
      bytesPerStep: bytes.reduce((sum, each) => sum + each, 0),
      machine: machineHere(),
      versions: await versions(),
      finishedAt: new Date().toISOString(),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @returns stdout. Rejects with the last line of stderr when it fails. */
function runKn(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [KN, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`kn ended with ${code}: ${err.trim().split("\n").at(-1) ?? ""}`));
    });
  });
}

function machineHere(): Cell["machine"] {
  return {
    cpus: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

async function versions(): Promise<Record<string, string>> {
  const text = await readFile(join(ROOT, "package.json"), "utf8");
  const { version, dependencies } = JSON.parse(text) as { version: string; dependencies: Record<string, string> };
  return {
    knowledgenet: version,
    node: process.version,
    tfjs: dependencies["@tensorflow/tfjs"] ?? "",
    libtensorflow: WHEELS[process.arch]?.version ?? "unknown",
    "nats-server": TOOLS["nats-server"].version,
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
