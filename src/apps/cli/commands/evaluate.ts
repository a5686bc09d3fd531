/** `kn evaluate RUN`: measures the accuracy of a run's last checkpoint on one split of the data. */
import { type Command, Option } from "commander";
import { type BackendPreference, createComputeWorker, openSection } from "../../../compute/index.ts";
import type { Split } from "../../../data/index.ts";
import { type FoundModel, trainedModel } from "../../../jobs/find-teacher.ts";
import { checkDataset } from "../../../jobs/describe-slices.ts";
import { openDataset } from "../../open-dataset.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder } from "../../../jobs/run-folder.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

interface EvaluateOptions {
  readonly runs: string;
  readonly backend: BackendPreference;
  readonly split: "test" | "validation" | "train";
  readonly phase?: "baseline" | "finetune";
  readonly data?: string;
  readonly json: boolean;
}

export function registerEvaluate(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("evaluate")
    .argument("<run>", "name or path of a run")
    .description("measure the accuracy of a run's last checkpoint (of a distillation run: of the student)")
    .addOption(new Option("--backend <name>").choices(["auto", "native", "wasm", "cpu"]).default("auto"))
    .addOption(
      new Option("--split <part>", "`validation`: the samples held out by data.holdout, or the test set")
        .choices(["test", "validation", "train"])
        .default("test"),
    )
    .addOption(
      new Option("--phase <name>", "of a distillation run: `baseline` is the student alone").choices([
        "baseline",
        "finetune",
      ]),
    )
    .option("--data <folder>", "folder of the data set's files")
    .option("--runs <folder>", "folder of the runs", DEFAULT_RUNS_FOLDER)
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (name: string, options: EvaluateOptions) => {
      exit(await evaluate(name, options, deps));
    });
}

async function evaluate(name: string, options: EvaluateOptions, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec, name: run } = await openRunFolder(options.runs, name);
  const directory = options.data === undefined ? {} : { directory: options.data };
  const dataset = await openDataset({ data: spec.data, env, ...directory });
  checkDataset(spec, dataset);
  const found = await trainedModel(name, options.runs, clock, terminal.note, options.phase);
  const split = dataset[options.split];
  const { correct, lossSum, backend } = await measure(found, split, spec.evaluation.batchSize, options.backend);
  const { step } = found;
  const measured = {
    run,
    step,
    split: options.split,
    samples: split.count,
    accuracy: correct / split.count,
    loss: lossSum / split.count,
    backend,
  };
  terminal.write(
    options.json
      ? JSON.stringify(measured, undefined, 2)
      : `${run} at step ${step}: ${(100 * measured.accuracy).toFixed(2)} % of ${split.count} ${options.split} images, loss ${measured.loss.toFixed(4)} (${backend})`,
  );
  return EXIT_OK;
}

async function measure(
  { model, tensors }: FoundModel,
  split: Split,
  batchSize: number,
  preference: BackendPreference,
): Promise<{ correct: number; lossSum: number; backend: string }> {
  await using worker = await createComputeWorker({ backend: preference });
  const network = await openSection(worker, "network", {
    inputShape: model.input,
    layers: model.layers,
    seed: 0,
    optimizer: { kind: "sgd", learningRate: 1 },
    learningRate: { peak: 1, totalSteps: 1 },
    classes: model.classes,
    objective: { kind: "logits", crossEntropy: 1 },
    averageDecay: 0,
  });
  await network.restore({ version: 0, tensors });
  let correct = 0;
  let lossSum = 0;
  for (let first = 0; first < split.count; first += batchSize) {
    const size = Math.min(batchSize, split.count - first);
    const { samples, labels } = split.batch(Array.from({ length: size }, (_, row) => first + row));
    const { result } = await network.evaluate(samples, labels);
    correct += result.correct ?? 0;
    lossSum += result.lossSum ?? 0;
  }
  return { correct, lossSum, backend: worker.backend.name };
}
