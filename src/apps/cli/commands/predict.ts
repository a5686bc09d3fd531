/** `kn predict FOLDER IMAGE.PNG`: what an exported network holds an image for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Table from "cli-table3";
import { type Command, Option } from "commander";
import { decode } from "fast-png";
import { type BackendPreference, createComputeWorker, openTeacher, type TensorData } from "../../../compute/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { importModelFile } from "../../../jobs/import-model.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit-codes.ts";

interface PredictOptions {
  readonly backend: BackendPreference;
  readonly json: boolean;
}

/** Classes shown. */
const SHOWN = 5;

export function registerPredict(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("predict")
    .argument("<folder>", "what `kn export --format tfjs` wrote")
    .argument("<image>", "a PNG of any size")
    .description("show what an exported network holds an image for")
    .addOption(new Option("--backend <name>").choices(["auto", "native", "wasm", "cpu"]).default("auto"))
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (folder: string, image: string, options: PredictOptions) => {
      const { model, tensors, classNames } = await importModelFile(join(folder, "model.json"));
      const pixels = await readImage(image, model.input.at(-1) ?? 3);
      await using worker = await createComputeWorker({ backend: options.backend });
      const network = await openTeacher(worker, "network", {
        inputShape: model.input,
        layers: model.layers,
        weights: tensors,
      });
      const probabilities = await network.classify(pixels);
      const ranked = probabilities
        .map((probability, index) => ({ class: classNames?.[index] ?? String(index), probability }))
        .sort((a, b) => b.probability - a.probability);
      if (options.json) {
        terminal.write(JSON.stringify({ image, backend: worker.backend.name, classes: ranked }, undefined, 2));
      } else {
        const table = new Table({ head: ["class", "probability"], style: { head: [], border: [], compact: true } });
        for (const each of ranked.slice(0, SHOWN)) table.push([each.class, `${(100 * each.probability).toFixed(2)} %`]);
        terminal.write(table.toString());
      }
      exit(EXIT_OK);
    });
}

/** [height, width, channels] u8: grey and colour as the network wants it, without transparency. */
async function readImage(file: string, wanted: number): Promise<TensorData> {
  const refuse = (rule: string, value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `read ${file}`, rule, value, remedy: "give it a PNG image", cause });
  let png: ReturnType<typeof decode>;
  try {
    png = decode(await readFile(file));
  } catch (error) {
    throw refuse("it must be a readable PNG file", error instanceof Error ? error.message : String(error), error);
  }
  const { width, height, depth, palette } = png;
  const shift = depth === 16 ? 8 : 0;
  const channels = palette === undefined ? png.channels : 1;
  const values = new Uint8Array(height * width * wanted);
  const isGrey = palette === undefined && channels < 3;
  for (let pixel = 0; pixel < height * width; pixel += 1) {
    const at = (channel: number): number => (png.data[pixel * channels + channel] ?? 0) >> shift;
    const [red = 0, green = 0, blue = 0] = palette?.[at(0)] ?? (isGrey ? [at(0), at(0), at(0)] : [at(0), at(1), at(2)]);
    // Rec. 601 luma where the network wants one channel.
    const colours = wanted === 1 ? [Math.round(0.299 * red + 0.587 * green + 0.114 * blue)] : [red, green, blue];
    values.set(colours.slice(0, wanted), pixel * wanted);
  }
  return { dtype: "u8", shape: [height, width, wanted], values };
}
