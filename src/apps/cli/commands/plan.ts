/** `kn plan TEACHER`: derives a smaller student with the teacher's section boundaries. */
import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import {
  type DistillationSpec,
  type ModelSpec,
  parseTrainingSpec,
  planStudent,
  type StudentPlan,
  type TrainingSpec,
} from "../../../run-spec/index.ts";
import { importModelLayers } from "../../../jobs/import-model.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { showComparison } from "../section-comparison.ts";
import { specYaml } from "../spec-text.ts";
import type { Terminal } from "../terminal.ts";
import { readCuts } from "./cuts-option.ts";
import { parseShare } from "../options.ts";

interface PlanCommandOptions {
  readonly compress: number;
  readonly compressMacs: number;
  readonly cuts?: string;
  readonly output?: string;
  readonly json: boolean;
}

export function registerPlan(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("plan")
    .argument("<teacher>", "run spec of the teacher, or a model.json")
    .description("derive a student with the teacher's boundaries and fewer parameters, MACs and bytes")
    .option("--compress <share>", "share of the parameters to save, 0 to 1", parseShare, 0.62)
    .option("--compress-macs <share>", "share of the multiply-accumulates to save, 0 to 1", parseShare, 0.5)
    .option("--cuts <layers>", "names of the layers after which the teacher is cut, with commas between")
    .option("-o, --output <file>", "write a run spec with the student")
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (file: string, options: PlanCommandOptions) => {
      exit(await plan(file, options, terminal));
    });
}

async function plan(file: string, options: PlanCommandOptions, terminal: Terminal): Promise<number> {
  const { model, spec } = await readTeacher(file, options.cuts);
  const planned = planStudent(model, options);
  showComparison({ teacher: planned.teacher, student: planned.student }, options.json, terminal);
  if (!options.json) {
    for (const note of planned.notes) terminal.write(note);
    terminal.write(verdict(planned, options));
  }
  if (options.output !== undefined) {
    await write(options.output, specText(planned.model, model.cuts, spec, file));
    if (!options.json) {
      terminal.write(`wrote ${options.output}; run it with: kn run ${options.output} --teacher <run of the teacher>`);
    }
  }
  return EXIT_OK;
}

async function readTeacher(
  file: string,
  cuts: string | undefined,
): Promise<{ model: ModelSpec; spec: TrainingSpec | undefined }> {
  const isModel = file.endsWith(".json");
  const spec = isModel ? undefined : parseTrainingSpec(await readText(file), { file });
  const model = spec?.model ?? (await importModelLayers(file));
  const chosen = readCuts(model, file, cuts);
  if (chosen.length === 0) {
    throw refusal(file, "the teacher must be cut into sections", "no cuts", "name them: --cuts pool1,pool2");
  }
  return { model: { ...model, cuts: chosen }, spec };
}

function verdict({ saved, meetsTarget }: StudentPlan, { compress, compressMacs }: PlanCommandOptions): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const reached = `${percent(saved.parameters)} fewer parameters, ${percent(saved.macs)} fewer MACs`;
  const requested = `${percent(compress)} and ${percent(compressMacs)}`;
  return meetsTarget
    ? `meets the target: ${reached} (requested ${requested})`
    : `misses the target: ${reached} (requested ${requested})`;
}

/** A complete run spec. */
function specText(
  student: ModelSpec,
  cuts: readonly string[],
  teacher: TrainingSpec | undefined,
  file: string,
): string {
  const optimizer: DistillationSpec["finetune"]["optimizer"] = {
    kind: "sgd",
    learningRate: 0.1,
    momentum: 0.9,
    nesterov: true,
    weightDecay: 5e-4,
  };
  const spec = {
    kind: "distillation",
    name: `${(teacher?.name ?? "imported").slice(0, 50)}-student`,
    seed: teacher?.seed ?? 1,
    data: teacher?.data ?? { dataset: student.input.join() === "28,28,1" ? "mnist" : "cifar-10" },
    teacher: { cuts },
    student: { model: student },
    sections: { epochs: 4, optimizer, warmup: 0.2 },
    finetune: { epochs: 8, optimizer: { ...optimizer, learningRate: 0.05 }, warmup: 0.2, ema: 0.999 },
  };
  return specYaml(spec, `Derived by: kn plan ${file}`);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw refusal(file, "it must be a readable file", messageOf(error), "examples/ has some to start from");
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `write ${file}`,
      rule: "it must be new and its folder writable",
      value: messageOf(error),
      remedy: "choose another file",
      cause: error,
    });
  }
}

function refusal(file: string, rule: string, value: string, remedy: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: `plan a student of ${file}`, rule, value, remedy });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
