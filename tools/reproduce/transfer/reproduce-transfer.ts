/** Runs the unfinished runs of the comparison one after another; an interrupted run resumes from its last epoch. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { provenance, runKn, say } from "../run-kn.ts";
import { percent } from "../markdown.ts";
import { plotTransfer } from "./plot.ts";
import {
  folderOf,
  QUICK_BOUNDS,
  studentKeys,
  teacherKey,
  transferArguments,
  type TransferExperiment,
  type TransferKey,
} from "./settings.ts";
import { transferTable } from "./table.ts";
import { type Arm, type TransferCell, transferCellFiles } from "./transfer-cell.ts";

export interface TransferCommandOptions {
  readonly seeds: string;
  readonly data?: string;
  /** Folder of the runs themselves: weights and checkpoints. */
  readonly work: string;
  readonly out: string;
  readonly tableOnly: boolean;
}

/** @returns the exit code: 1 when a run failed. */
export async function reproduceTransfer(
  experiment: TransferExperiment,
  options: TransferCommandOptions,
): Promise<number> {
  const seeds = Number(options.seeds);
  if (!(seeds >= 1)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `reproduce ${experiment.name}`,
      rule: "--seeds must be at least 1",
      value: options.seeds,
    });
  }
  const files = transferCellFiles(join(options.out, "cells"));
  const students = studentKeys(experiment, seeds);
  let failed = 0;
  const finish = async (key: TransferKey, teacher: string): Promise<void> => {
    if (options.tableOnly || (await files.read(key)) !== undefined) return;
    try {
      const path = await completeRun(experiment, key, teacher, options);
      const cell = await cellOf(experiment, key, path, teacher, options);
      await files.write(cell);
      for (const { name, heldOut } of cell.arms) say(`${labelOf(key)}: ${name} ${percent(heldOut)} of the held out`);
    } catch (error) {
      failed += 1;
      say(`${labelOf(key)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const missing = options.tableOnly ? [] : await Promise.all(students.map((key) => files.read(key)));
  // The students need the teacher's weights, which are in its run and not in its cell.
  const isNeeded = !options.tableOnly && missing.includes(undefined);
  const teacher = isNeeded ? await completeRun(experiment, teacherKey(experiment), "", options) : "";
  if (isNeeded) await finish(teacherKey(experiment), teacher);
  for (const key of students) await finish(key, teacher);

  const cells = (await files.all()).filter((cell) => cell.experiment === experiment.name);
  await mkdir(options.out, { recursive: true });
  await writeFile(join(options.out, "accuracy.svg"), await plotTransfer(experiment, cells));
  const document = join(options.out, "README.md");
  await writeFile(document, transferTable({ experiment, seeds, cells, plot: "accuracy.svg" }));
  say(`table and plot: ${document}`);
  return failed === 0 ? 0 : 1;
}

/** `kt-quick`: the same on MNIST. @returns 1 when a run failed or a bound does not hold. */
export async function reproduceQuick(experiment: TransferExperiment, options: TransferCommandOptions): Promise<number> {
  const code = await reproduceTransfer(experiment, options);
  const cells = (await transferCellFiles(join(options.out, "cells")).all()).filter(({ run }) => run === "transfer");
  let broken = cells.length === 0 ? 1 : 0;
  const holds = (what: string, isTrue: boolean): void => {
    if (!isTrue) broken += 1;
    say(`${isTrue ? "ok" : "FAILED"}: ${what}`);
  };
  for (const { sizes, arms } of cells) {
    const share = sizes === undefined ? NaN : sizes.student.parameters / sizes.teacher.parameters;
    const [alone, transfer] = ["alone", "transfer"].map((name) => arms.find((arm) => arm.name === name)?.test ?? NaN);
    holds(
      `the student has ${percent(share)} of the teacher's parameters, at most ${percent(QUICK_BOUNDS.parameters)}`,
      share <= QUICK_BOUNDS.parameters,
    );
    holds(
      `test accuracy with transfer ${percent(transfer ?? NaN)}, alone ${percent(alone ?? NaN)}: better by ${100 * QUICK_BOUNDS.margin} points or more`,
      (transfer ?? NaN) - (alone ?? NaN) >= QUICK_BOUNDS.margin,
    );
  }
  return code === 0 && broken === 0 ? 0 : 1;
}

/** @returns the path of the completed run of `key`. Rejects when it fails. */
async function completeRun(
  experiment: TransferExperiment,
  key: TransferKey,
  teacher: string,
  { work, data }: TransferCommandOptions,
): Promise<string> {
  const folder = folderOf(work, key);
  await mkdir(folder, { recursive: true });
  const common = [...dataOption(data), "--runs", folder];
  const begun = await newestRun(folder);
  if (begun === undefined) {
    say(`${labelOf(key)}: running`);
    await runKn([...transferArguments(experiment, key, teacher), ...common], { env: ENVIRONMENT, onLine });
  } else if ((await outcomeOf(begun)) !== "completed") {
    say(`${labelOf(key)}: resuming ${begun}`);
    await runKn(["resume", begun, ...common], { env: ENVIRONMENT, onLine });
  }
  const run = await newestRun(folder);
  if (run !== undefined && (await outcomeOf(run)) === "completed") return run;
  throw new KnowledgeNetError("KN_INVARIANT", {
    attempt: `complete ${labelOf(key)}`,
    rule: "its results must have it",
    value: run ?? "no run",
  });
}

/** About half the time of a convolution; results differ from those without it by rounding. */
const ENVIRONMENT = { ...process.env, TF_ENABLE_ONEDNN_OPTS: "1" };

/** Passes on the accuracy lines of kn's output. */
function onLine(line: string): void {
  if (line.includes("| accuracy")) say(`  ${line}`);
}

function dataOption(data: string | undefined): string[] {
  return data === undefined ? [] : ["--data", data];
}

/** The names of runs sort by time. */
async function newestRun(folder: string): Promise<string | undefined> {
  const names = (await readdir(folder)).sort();
  const last = names.at(-1);
  return last === undefined ? undefined : join(folder, last);
}

async function outcomeOf(run: string): Promise<string> {
  const text = await readFile(join(run, "results.json"), "utf8").catch(() => undefined);
  return text === undefined ? "none" : z.object({ outcome: z.string() }).parse(JSON.parse(text)).outcome;
}

const trainingSchema = z.object({ accuracy: z.number(), seconds: z.number(), steps: z.int() });
const sizeSchema = z.object({ parameters: z.int(), macs: z.int() });
const distillationSchema = z.object({
  teacher: sizeSchema,
  student: sizeSchema,
  phases: z.array(
    z.object({
      phase: z.enum(["baseline", "sections", "finetune"]),
      accuracy: z.number(),
      seconds: z.number(),
      steps: z.int(),
      cache: z.object({ hits: z.int().default(0), misses: z.int().default(0) }),
    }),
  ),
});

/** Results of the completed run at `path`, with the test accuracy of each of its whole networks. */
async function cellOf(
  experiment: TransferExperiment,
  key: TransferKey,
  path: string,
  teacher: string,
  { data }: TransferCommandOptions,
): Promise<TransferCell> {
  const results: unknown = JSON.parse(await readFile(join(path, "results.json"), "utf8"));
  const test = async (phase: readonly string[]): Promise<number> => {
    const args = ["evaluate", path, "--split", "test", ...phase, ...dataOption(data), "--json"];
    return z.object({ accuracy: z.number() }).parse(JSON.parse(await runKn(args, { env: ENVIRONMENT }))).accuracy;
  };
  const command = `TF_ENABLE_ONEDNN_OPTS=1 npx kn ${transferArguments(
    experiment,
    key,
    teacher === "" ? "" : "<run of the teacher>",
  )
    .map((word) => (/[{}<> ]/.test(word) ? `'${word}'` : word))
    .join(" ")}`;
  const common = { format: 1, ...key, command, ...(await provenance()) } as const;
  if (key.run === "teacher") {
    const { accuracy, seconds, steps } = trainingSchema.parse(results);
    const arm: Arm = { name: "teacher", heldOut: accuracy, test: await test([]), seconds, steps };
    return { ...common, arms: [arm], batches: { computed: 0, kept: 0 } };
  }
  const { teacher: teacherSize, student, phases } = distillationSchema.parse(results);
  const arms: Arm[] = [];
  const after = { seconds: 0, steps: 0 };
  for (const { phase, accuracy, seconds, steps } of phases) {
    if (phase === "baseline") {
      arms.push({ name: "alone", heldOut: accuracy, test: await test(["--phase", phase]), seconds, steps });
      continue;
    }
    after.seconds += seconds;
    after.steps += steps;
    arms.push({
      ...after,
      name: phase === "sections" ? "sections" : key.run,
      heldOut: accuracy,
      ...(phase === "sections" ? {} : { test: await test([]) }),
    });
  }
  return {
    ...common,
    sizes: { student, teacher: teacherSize },
    arms,
    batches: {
      computed: phases.reduce((sum, { cache }) => sum + cache.misses, 0),
      kept: phases.reduce((sum, { cache }) => sum + cache.hits, 0),
    },
  };
}

function labelOf({ experiment, setting, run, seed }: TransferKey): string {
  return run === "teacher" ? `${experiment}: teacher` : `${experiment}: ${run}, ${setting} labels, seed ${seed}`;
}
