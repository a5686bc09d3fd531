/** `kn run SPEC`: one verb for every kind of run. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { isContinuousSpec, parseSpec, type TeacherSpec } from "../../../run-spec/index.ts";
import { jobKindOf } from "../../../jobs/kinds/index.ts";
import { findTeacher, publishTeacher } from "../../../jobs/find-teacher.ts";
import { prepareRun } from "../prepare-run.ts";
import { scopeOfRun } from "../../../runtime/artifacts/index.ts";
import { createRunFolder } from "../../../jobs/run-folder.ts";
import { dryRun } from "../dry-run.ts";
import { followSpec } from "../follow-spec.ts";
import { executeFleetRun } from "../execute-fleet-run.ts";
import { type ExecuteDeps, executeRun, nameRun } from "../execute-run.ts";
import { type LogForm, logFormOption } from "../service-log.ts";
import { parseMinNodes, parseRunName, setOption, withExecuteOptions } from "../options.ts";

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
  /** Of a continuous run. */
  readonly models?: string;
  readonly http?: string;
  readonly observations?: string;
  readonly key?: string;
  readonly probes?: string;
  readonly log?: LogForm;
}

/** Where a student answers that is served by its continuous run. */
const FOLLOW_HTTP = "127.0.0.1:8080";

export function registerRun(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withExecuteOptions(program.command("run").argument("<spec>", "run spec, a YAML file").description("run a spec"), deps)
    .addOption(setOption("override a value of the spec, e.g. training.epochs=3; `baseline=` removes it"))
    .option("--teacher <run or file>", "of a distillation run: a finished run, or a model.json")
    .option("--name <name>", "name of the run (default: by spec and time); a fleet's run of that name is joined")
    .option("--min-nodes <count>", "with --nodes fleet: wait until so many nodes have joined", (text) =>
      parseMinNodes(text),
    )
    .option("--http <host:port>", `of a continuous run: where the student answers, or none (default: ${FOLLOW_HTTP})`)
    .option("--models <folder>", "of a continuous run: folder of the models (default: models, or the store of --bus)")
    .option(
      "--observations <address>",
      "of a continuous run: the store of an edge with a JetStream of its own, nats://host:port?domain=edge",
    )
    .option("--key <file>", "of a continuous run: private key that signs its updates")
    .option(
      "--probes <host:port>",
      "of a continuous run: serve /healthz, /readyz, /startupz and /metrics there, and wait for releases to go live",
    )
    .addOption(logFormOption("of a continuous run: "))
    .option("--dry-run", "print blocks, boundaries and bytes per step, and run nothing", false)
    .action(async (file: string, options: RunCommandOptions) => {
      exit(await runSpecFile(file, options, deps));
    });
}

export async function runSpecFile(file: string, options: RunCommandOptions, deps: ExecuteDeps): Promise<number> {
  const text = await readText(file);
  if (isContinuousSpec(text)) return followSpec(text, file, { ...options, http: options.http ?? FOLLOW_HTTP }, deps);
  const read = parseSpec(text, { file, set: teacherSettings(options) });
  const { teaching } = jobKindOf(read);
  const teacher = teaching === undefined ? undefined : await findTeacherOf(teaching.teacherOf(read), options, deps);
  const spec = teacher === undefined ? read : (teaching?.withTeacherModel(read, teacher.model) ?? read);
  if (options.dryRun) return dryRun(spec, options.json, deps.terminal);
  const name = options.name === undefined ? nameRun(spec, deps.clock) : parseRunName(options.name);
  const prepared = await prepareRun({ spec, data: options.data, env: deps.env });
  const mayBeThere = options.name !== undefined && options.nodes === "fleet";
  // Removed unless the run starts: a refused run leaves no folder.
  await using folder = await createRunFolder(options.runs, name, spec, { mayBeThere });
  if (teacher !== undefined) {
    await using store = await fileStore({ directory: folder.storePath, clock: deps.clock });
    await publishTeacher(store, teacher, scopeOfRun(folder.name));
  }
  return options.nodes === "here"
    ? await executeRun(folder, prepared, undefined, options, deps)
    : await executeFleetRun(folder, prepared, false, options, deps);
}

/** Settings that override the spec's text. */
function teacherSettings({ teacher, set }: RunCommandOptions): string[] {
  if (teacher === undefined) return [...set];
  return [`teacher.${teacher.endsWith(".json") ? "file" : "run"}=${JSON.stringify(teacher)}`, ...set];
}

function findTeacherOf(teacher: TeacherSpec, { runs }: RunCommandOptions, { terminal, clock }: ExecuteDeps) {
  return findTeacher({ teacher, runs, note: terminal.note }, clock);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the run spec ${file}`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "examples/ has some to start from",
      cause: error,
    });
  }
}
