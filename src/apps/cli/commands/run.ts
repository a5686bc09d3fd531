/** `kn run SPEC`: one verb for every kind of run. */
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { isRunName } from "../../../messages/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { parseSpec, type RunSpec, type TeacherSpec } from "../../../run-spec/index.ts";
import { jobKindOf } from "../../../jobs/kinds/index.ts";
import { findTeacher, publishTeacher } from "../../../jobs/find-teacher.ts";
import { prepareRun } from "../prepare-run.ts";
import { scopeOfRun } from "../../../runtime/artifacts/index.ts";
import { createRunFolder, DEFAULT_RUNS_FOLDER } from "../../../jobs/run-folder.ts";
import { dryRun } from "../dry-run.ts";
import { executeFleetRun } from "../execute-fleet-run.ts";
import { type ExecuteDeps, executeRun, nameRun } from "../execute-run.ts";

export interface RunCommandOptions {
  readonly bus: string;
  readonly backend: "auto" | "native" | "wasm" | "cpu";
  readonly nodes: string;
  readonly minNodes?: number;
  readonly name?: string;
  readonly detach: boolean;
  readonly runs: string;
  readonly set: readonly string[];
  readonly teacher?: string;
  readonly data?: string;
  readonly json: boolean;
  readonly dryRun: boolean;
}

/** Options shared by `run`, `demo` and `resume`. */
export function withExecuteOptions(command: Command): Command {
  return command
    .option(
      "--bus <address>",
      "memory, nats: (a server of our own for this run), nats://host:port, or a node.yaml",
      "memory",
    )
    .addOption(
      new Option("--backend <name>", "where the mathematics runs")
        .choices(["auto", "native", "wasm", "cpu"])
        .default("auto"),
    )
    .option("--data <folder>", "folder of the data set's files")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option(
      "--nodes <where>",
      "`here`: all actors in this process; `fleet`: on the nodes at --bus; `spawn:4`: on four child processes",
      "here",
    )
    .option("--detach", "with --nodes fleet: begin and leave it to the fleet", false)
    .option("--json", "print one JSON document and nothing else on stdout", false);
}

export function registerRun(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(program.command("run").argument("<spec>", "run spec, a YAML file").description("run a spec"))
    .option("--set <path=value...>", "override a value of the spec, e.g. training.epochs=3; baseline= takes it out", [])
    .option("--teacher <run or file>", "of a distillation run: a finished run, or a model.json")
    .option("--name <name>", "name of the run (default: by spec and time); a fleet's run of that name is joined")
    .option("--min-nodes <count>", "with --nodes fleet: wait until so many are there", (text) => parseMinNodes(text))
    .option("--dry-run", "print blocks, boundaries and bytes per step, and run nothing", false)
    .action(async (file: string, options: RunCommandOptions) => {
      exit(await runSpecFile(file, options, deps));
    });
}

export async function runSpecFile(file: string, options: RunCommandOptions, deps: ExecuteDeps): Promise<number> {
  const read = await readSpec(file, teacherSettings(options));
  const { teaching } = jobKindOf(read);
  const teacher = teaching === undefined ? undefined : await findTeacherOf(teaching.teacherOf(read), options, deps);
  const spec = teacher === undefined ? read : (teaching?.withTeacherModel(read, teacher.model) ?? read);
  if (options.dryRun) return dryRun(spec, options.json, deps.terminal);
  // Before anything is made: what cannot be run leaves nothing behind.
  await prepareRun({ spec, data: options.data, env: deps.env });
  const folder =
    options.name === undefined
      ? await createRunFolder(options.runs, nameRun(spec, deps.clock), spec)
      : await createRunFolder(options.runs, checkRunName(options.name), spec, {
          mayBeThere: options.nodes === "fleet",
        });
  if (teacher !== undefined) {
    await using store = await fileStore({ directory: folder.storePath, clock: deps.clock });
    await publishTeacher(store, teacher, scopeOfRun(folder.name));
  }
  return options.nodes === "here"
    ? executeRun(folder, undefined, options, deps)
    : executeFleetRun(folder, false, options, deps);
}

function checkRunName(name: string): string {
  if (isRunName(name)) return name;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "name a run",
    rule: "--name must be 1 to 64 characters of [A-Za-z0-9_-]",
    value: name,
    remedy: "choose another",
  });
}

function parseMinNodes(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "wait for nodes",
    rule: "--min-nodes must be a number from 1 on",
    value: text,
    remedy: "for example --min-nodes 4",
  });
}

/** What the spec is told beside its text. */
function teacherSettings({ teacher, set }: RunCommandOptions): string[] {
  if (teacher === undefined) return [...set];
  return [`teacher.${teacher.endsWith(".json") ? "file" : "run"}=${JSON.stringify(teacher)}`, ...set];
}

function findTeacherOf(teacher: TeacherSpec, { runs }: RunCommandOptions, { terminal, clock }: ExecuteDeps) {
  return findTeacher({ teacher, runs, note: terminal.note }, clock);
}

async function readSpec(file: string, set: readonly string[]): Promise<RunSpec> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the run spec ${file}`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "examples/ holds some to begin with",
      cause: error,
    });
  }
  return parseSpec(text, { file, set });
}
