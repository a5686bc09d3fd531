/** `kn export RUN`: writes the network of a run (of a distillation run: the student) for tfjs or Keras. */
import { type Command, Option } from "commander";
import { CLASS_NAMES } from "../../../data/index.ts";
import { EXPORT_FORMATS, type ExportFormat, exportModel } from "../../../jobs/export-model.ts";
import { trainedModel } from "../../../jobs/find-teacher.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder } from "../../../jobs/run-folder.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

interface ExportCommandOptions {
  readonly format: ExportFormat;
  readonly output: string;
  readonly runs: string;
}

export function registerExport(program: Command, { terminal, clock }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("export")
    .argument("<run>", "name or path of a run")
    .description("write a run's network (of a distillation run: the student) for tfjs or Keras")
    .addOption(new Option("--format <name>").choices([...EXPORT_FORMATS]).default("tfjs"))
    .requiredOption("-o, --output <folder>", "folder to write to")
    .option("--runs <folder>", "folder of the runs", DEFAULT_RUNS_FOLDER)
    .action(async (run: string, options: ExportCommandOptions) => {
      const { spec, name } = await openRunFolder(options.runs, run);
      const found = await trainedModel(run, options.runs, clock, terminal.note);
      const files = await exportModel(found, {
        name,
        format: options.format,
        directory: options.output,
        classNames: CLASS_NAMES[spec.data.dataset],
      });
      for (const file of files) terminal.write(file);
      exit(EXIT_OK);
    });
}
