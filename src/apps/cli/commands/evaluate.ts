/** `kn evaluate RUN`: the whole test set through the saved blocks, forward only. */
import { type Command, Option } from "commander";
import { type BackendPreference, type BlockHandle, GRADIENT_SOURCE_TRAITS } from "../../../compute/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { openCheckpoints } from "../../../runtime/checkpoint/index.ts";
import { fileStore } from "../../../runtime/store/index.ts";
import { boundariesOf } from "../../../spec/index.ts";
import { type BlockSite, createBlockSite } from "../../run/block-site.ts";
import { chooseGeneration } from "../../run/choose-generation.ts";
import { prepareRun } from "../../run/prepare-run.ts";
import { DEFAULT_RUNS_FOLDER, openRunFolder, type RunFolder } from "../../run/run-folder.ts";
import { CHECKPOINT_BUCKETS } from "../../run/compose-actors.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit-codes.ts";

interface EvaluateOptions {
  readonly runs: string;
  readonly backend: BackendPreference;
  readonly data?: string;
  readonly json: boolean;
}

export function registerEvaluate(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("evaluate")
    .argument("<run>", "name or path of a run")
    .description("measure the accuracy of a run's last checkpoint on the test set")
    .addOption(new Option("--backend <name>").choices(["auto", "native", "wasm", "cpu"]).default("auto"))
    .option("--data <folder>", "folder of the data set's files")
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (name: string, options: EvaluateOptions) => {
      exit(await evaluate(await openRunFolder(options.runs, name), options, deps));
    });
}

async function evaluate(folder: RunFolder, options: EvaluateOptions, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock, env } = deps;
  const { spec } = folder;
  const { dataset, slices } = await prepareRun({ spec, data: options.data, env });
  await using store = await fileStore({ directory: folder.storePath, clock });
  const checkpoints = await openCheckpoints(store, CHECKPOINT_BUCKETS);
  const manifest = await chooseGeneration(checkpoints, ({ generation }) => {
    terminal.note(`checkpoint ${generation} is damaged; trying the one before`);
  });
  if (manifest === undefined) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `evaluate ${folder.name}`,
      rule: "it must have a checkpoint",
      value: "none",
      remedy: `train it first: kn resume ${folder.name}`,
    });
  }

  const boundaries = boundariesOf(spec);
  await using sites = siteList();
  const blocks: BlockHandle[] = [];
  let backend = "unknown";
  for (let index = 0; index < slices.length; index += 1) {
    const site: BlockSite = sites.add(
      createBlockSite({
        spec,
        index,
        slices,
        totalSteps: 1,
        backend: options.backend,
        isGradientModelElsewhere: false,
      }),
    );
    const source = boundaries[index]?.source;
    if (source !== undefined && GRADIENT_SOURCE_TRAITS[source].hasGradientModel) await site.openGradientModel();
    const block = await site.openBlock();
    const { metadata, tensors } = await checkpoints.load(`block-${index}`, manifest);
    await block.restore({ version: Number(metadata.version), tensors });
    blocks.push(block);
    backend = site.backend?.name ?? backend;
  }

  let correct = 0;
  let lossSum = 0;
  const { batchSize } = spec.evaluation;
  for (let first = 0; first < dataset.test.count; first += batchSize) {
    const size = Math.min(batchSize, dataset.test.count - first);
    const { samples, labels } = dataset.test.batch(Array.from({ length: size }, (_, row) => first + row));
    let input = samples;
    for (const block of blocks) {
      const { result } = await block.evaluate(input, labels);
      input = result.output ?? input;
      correct += result.correct ?? 0;
      lossSum += result.lossSum ?? 0;
    }
  }
  const { count } = dataset.test;
  const measured = {
    run: folder.name,
    step: manifest.step,
    samples: count,
    accuracy: correct / count,
    loss: lossSum / count,
    backend,
  };
  terminal.write(
    options.json
      ? JSON.stringify(measured, undefined, 2)
      : `${folder.name} at step ${manifest.step}: ${(100 * measured.accuracy).toFixed(2)} % of ${count} test images, loss ${measured.loss.toFixed(4)} (${backend})`,
  );
  return EXIT_OK;
}

/** Sites that are closed together. */
function siteList(): { add(site: BlockSite): BlockSite } & AsyncDisposable {
  const sites: BlockSite[] = [];
  return {
    add(site) {
      sites.push(site);
      return site;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(sites.map((site) => site.close()));
    },
  };
}
